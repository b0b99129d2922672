// A history: what clients asked for and saw, in a file of records, and the judgement whether it can have happened.
//
// A call appends items to chains and moves an amount, in one transaction. An item's number says whose it is: the call's process, its count and
// the place in the call, so that whoever reads a chain knows which calls it has read. The server's order of a chain is known in the end: the order of its
// items. That makes judging linear: nothing has to be guessed.
//
// File: a header of 16 bytes (magic "CHHIST1\n", u64 zero), then records, all little-endian:
//
//   offset 0  u8 kind   1  u8 zero   2  u16 process   4  u32 count of words   8  i64 time, µs   16  u64 op   24  words, u64 each
//
//   kind      op            words
//   INVOKE    of the call   pairs: chain, item
//   OK        of the call   none: the call returned, its effect is promised
//   FAIL      of the call   none: refused, for ever: it must have no effect
//   INFO      of the call   none: nobody knows (the process was killed in it); as if it were missing
//   READ      its number    balance total; number of own calls that waited, their ops (with HISTORY_HIDDEN: no effect at present);
//                           then for each chain: chain, count, items
//   FINAL     0             chain, items: what the server has in the end, one record a chain
//   TOTAL     0             balance total on the server in the end
//
// A READ is one transaction on a replica. Chains in it show confirmed items first, then those of own calls that wait. Records of one process
// are in its order, and each process's records may be in a file of its own: order between processes comes from the chains.
#ifndef CHARLE_TESTS_HISTORY_HISTORY_H
#define CHARLE_TESTS_HISTORY_HISTORY_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { HISTORY_PROCESSES_MAX = 256, HISTORY_ITEMS_MAX = 8, HISTORY_WORDS_MAX = 1 << 16 };

#define HISTORY_HIDDEN ((uint64_t)1 << 63)

enum history_kind {
    HISTORY_INVOKE = 1,
    HISTORY_OK,
    HISTORY_FAIL,
    HISTORY_INFO,
    HISTORY_READ,
    HISTORY_FINAL,
    HISTORY_TOTAL,
};

// Ops and items as numbers.
static inline uint64_t history_op(int process, uint64_t count)
{
    return (uint64_t)process << 40 | count;
}
static inline uint64_t history_item(uint64_t op, int place)
{
    return op * HISTORY_ITEMS_MAX + (uint64_t)place;
}
static inline uint64_t history_op_of(uint64_t item)
{
    return item / HISTORY_ITEMS_MAX;
}
static inline int history_process_of(uint64_t op)
{
    return (int)(op >> 40);
}

struct history_record {
    enum history_kind kind;
    int process;
    int64_t at_us;
    uint64_t op;
    const uint64_t *words; // of a record that is read: valid until the next one
    size_t word_count;
};

// --- writing: one process, one file -----------------------------------------------------------------------------------------

struct history_writer; // appends; each record is one write(), and what a kill leaves of one is dropped when its file is opened again

CHARLE_MUST_CHECK enum charle_err history_writer_open(const char *path, struct history_writer **out, struct charle_error *err);
void history_writer_close(struct history_writer *writer); // NULL is fine
CHARLE_MUST_CHECK enum charle_err history_write(struct history_writer *writer, const struct history_record *record, struct charle_error *err);

// --- reading ----------------------------------------------------------------------------------------------------------------

struct history_reader;

// A last record that is cut off is the end: its writer was killed.
CHARLE_MUST_CHECK enum charle_err history_reader_open(const char *path, struct history_reader **out, struct charle_error *err);
void history_reader_close(struct history_reader *reader);
CHARLE_MUST_CHECK enum charle_err history_read(struct history_reader *reader, struct history_record *out, struct charle_error *err); // DONE at the end

#endif
