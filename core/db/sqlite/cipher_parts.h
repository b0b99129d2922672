// What the files of the encrypting VFS share.
#ifndef CHARLE_DB_SQLITE_CIPHER_PARTS_H
#define CHARLE_DB_SQLITE_CIPHER_PARTS_H

#include "db/sqlite/cipher.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    NONCE_SIZE = 24,
    TAG_SIZE = 16,
    BLOCK_SIZE = 4096,        // of temporary files
    JOURNAL_SIZE_MAX = 65536, // making a file writes a journal's header, of one sector
    BOUND_SIZE = 32,          // what a seal is bound to
};

// What a unit is; part of what its seal is bound to. Numbers are never reused.
enum unit_kind {
    UNIT_PAGE = 1,
    UNIT_LOG_HEADER = 2,
    UNIT_LOG_HEAD = 3,
    UNIT_LOG_PAGE = 4,
    UNIT_BLOCK = 5,
    UNIT_LOG_TAIL = 6,
};

// SQLite's locks on the index of the log.
enum { LOG_WRITE_LOCK = 0, LOG_RECOVER_LOCK = 2 };

struct ch_cipher {
    sqlite3_vfs vfs;
    sqlite3_vfs *parent;
    char name[48];
    uint8_t *key; // in locked memory
    uint8_t mark[CH_CIPHER_MARK_SIZE];
    uint32_t page_size;
    bool is_forgiving, was_forgiving;
    pthread_mutex_t mutex; // of damage
    char damage[80];
};

// A file of SQLite's; the parent's lies right behind it.
struct cipher_file {
    sqlite3_file base;
    struct ch_cipher *cipher;
    sqlite3_file *real;
    const uint8_t *key;          // the cipher's, or own_key
    uint8_t nonce[NONCE_SIZE];   // the next one
    uint8_t *scratch;            // one unit with its seal, and for the log the head before it
    unsigned log_locks;          // of a main file: which of the log's locks its connection holds alone, by bits
    uint64_t log_turn;           // of a main file: how often its connection began to write to the log
    const struct cipher_file *main; // of a log: the file it belongs to
    uint64_t turn;               // of a log: the turn in which this handle wrote a frame last
    uint32_t head_number;        // of a log: the frame whose head was written last, plus 1; 0: none
    uint8_t head[32];            // and that head
    uint32_t frames_synced;      // of a log: frames that this handle knows to be on the disk
    uint32_t frames_written;
    sqlite3_int64 size;          // of a temporary file or a journal
    uint8_t *journal;
    uint8_t own_key[CH_CIPHER_KEY_SIZE]; // of a temporary file
};

// What a seal is bound to: kind, number, and up to 16 bytes more.
struct unit_name {
    enum unit_kind kind;
    uint32_t number;
    uint8_t more[16];
};

static inline struct cipher_file *ch_cipher_file_of(sqlite3_file *file)
{
    return (struct cipher_file *)file;
}

// Seals `size` bytes into out, which may be the same memory; the seal goes to out_seal: nonce, then tag.
void ch_cipher_seal(struct cipher_file *file, const struct unit_name *name, const uint8_t *plain, size_t size, uint8_t *out,
                    uint8_t out_seal[CH_CIPHER_SEAL_SIZE]);
// Opens what was sealed; false when it was not sealed under this name and key.
bool ch_cipher_unseal(const struct cipher_file *file, const struct unit_name *name, const uint8_t *sealed, size_t size,
                      const uint8_t seal[CH_CIPHER_SEAL_SIZE], uint8_t *out);

// Remembers what did not open; returns SQLITE_IOERR_DATA.
int ch_cipher_note_damage(struct cipher_file *file, const char *format, ...) CHARLE_PRINTF(2, 3);

// Methods of the log, of temporary files and of journals; the others are passed on.
int ch_cipher_log_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at);
int ch_cipher_log_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at);
int ch_cipher_log_truncate(sqlite3_file *file, sqlite3_int64 size);
int ch_cipher_log_sync(sqlite3_file *file, int flags);
int ch_cipher_log_size(sqlite3_file *file, sqlite3_int64 *out);

int ch_cipher_temp_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at);
int ch_cipher_temp_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at);
int ch_cipher_temp_truncate(sqlite3_file *file, sqlite3_int64 size);
int ch_cipher_temp_size(sqlite3_file *file, sqlite3_int64 *out);

extern const sqlite3_io_methods ch_cipher_journal_methods;

#endif
