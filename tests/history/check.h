// Judges a history (history.h): linear in its size, since the chains in the end say in which order the server ran the calls.
//
// Two passes. The first learns which calls there were, how they ended and what the server has in the end. The second goes through each
// process's records in its order and judges every read against that. Then a graph of calls and reads is searched for cycles:
//
//   ww  call → call    the next item of a chain is another call's
//   wr  call → read    the read's newest confirmed item of a chain
//   rw  read → call    the first item of a chain that the read has not seen
//   so  read → read, read → call, call → call, call → read of one process, in its order
//
// A read costs what its chains are long in the end, so chains are kept short (tens of items) by whoever makes histories.
#ifndef CHARLE_TESTS_HISTORY_CHECK_H
#define CHARLE_TESTS_HISTORY_CHECK_H

#include "history/history.h"

enum history_anomaly {
    ANOMALY_LOST,       // a call that returned and was not refused is not on the server
    ANOMALY_DUPLICATED, // an item is in a chain twice
    ANOMALY_UNEXPECTED, // an item that nobody appended there
    ANOMALY_PARTIAL,    // some items of a call, and not the others
    ANOMALY_ORDER,      // a read shows items in another order than the server
    ANOMALY_TOTAL,      // money came or went
    ANOMALY_G0,         // calls overwrote each other in circles: ww only
    ANOMALY_G1A,        // a read, or the end, shows a call that was refused or is nowhere in the end
    ANOMALY_G1B,        // a read shows the middle of a call
    ANOMALY_G1C,        // a circle of ww, wr and so: a process read or did before what comes after it
    ANOMALY_G_SINGLE,   // a circle with one rw: a read is of no single moment
    ANOMALY_G2,         // a circle with several rw: two reads see two calls in different orders
    ANOMALY_MONOTONIC,  // a process sees less than it saw before
    ANOMALY_OWN,        // a process does not see its own call
    ANOMALY_SESSION,    // calls of a process took effect in another order than they were made
    ANOMALY_CAUSAL,     // a circle of rw and so: an effect without what it was based on
    ANOMALIES,
};

const char *history_anomaly_name(enum history_anomaly anomaly); // "G-single"

struct history_report {
    uint64_t counts[ANOMALIES];
    char first[ANOMALIES][200]; // a sentence about the first of each
    uint64_t calls, ok, failed, unknown, reads, chains, items, edges;
};

struct history_check;

struct history_check *history_check_new(int64_t total); // the balance that has to be seen everywhere
void history_check_free(struct history_check *check);
// First pass: all records of all processes. MALFORMED for records that contradict the format.
CHARLE_MUST_CHECK enum charle_err history_check_learn(struct history_check *check, const struct history_record *record, struct charle_error *err);
// Between the passes.
void history_check_end_learning(struct history_check *check);
// Second pass: the same records; those of one process in its order.
CHARLE_MUST_CHECK enum charle_err history_check_walk(struct history_check *check, const struct history_record *record, struct charle_error *err);
void history_check_judge(struct history_check *check, struct history_report *out);

// Both passes over files, and the judgement.
CHARLE_MUST_CHECK enum charle_err history_check_files(const char *const *paths, int count, int64_t total, struct history_report *out, struct charle_error *err);
uint64_t history_report_anomalies(const struct history_report *report); // all counts added up
void history_report_print(const struct history_report *report);

#endif
