// Temporary files and journals of an encrypted database.
//
// A temporary file belongs to one handle and dies with it. It is kept in sealed blocks of 4 KiB under a key of its own, which
// nobody else ever sees; sizes and places are free, so a part of a block is written by reading the block first.
//
// A rollback journal is needed for one thing only, the making of a file; it stays in memory.
#include "base/alloc.h"
#include "db/sqlite/cipher_parts.h"

#include <string.h>

enum { SEALED_BLOCK_SIZE = BLOCK_SIZE + CH_CIPHER_SEAL_SIZE };

static int read_block(struct cipher_file *file, uint32_t number, uint8_t *out)
{
    const struct unit_name name = {.kind = UNIT_BLOCK, .number = number};
    int code = file->real->pMethods->xRead(file->real, out, SEALED_BLOCK_SIZE, (sqlite3_int64)number * SEALED_BLOCK_SIZE);
    if (code)
        return code == SQLITE_IOERR_SHORT_READ ? ch_cipher_note_damage(file, "block %u of a temporary file", number) : code;
    if (!ch_cipher_unseal(file, &name, out, BLOCK_SIZE, out + BLOCK_SIZE, out))
        return ch_cipher_note_damage(file, "block %u of a temporary file", number);
    return SQLITE_OK;
}

static int write_block(struct cipher_file *file, uint32_t number, const uint8_t *plain)
{
    const struct unit_name name = {.kind = UNIT_BLOCK, .number = number};
    uint8_t sealed[SEALED_BLOCK_SIZE];
    ch_cipher_seal(file, &name, plain, BLOCK_SIZE, sealed, sealed + BLOCK_SIZE);
    return file->real->pMethods->xWrite(file->real, sealed, SEALED_BLOCK_SIZE, (sqlite3_int64)number * SEALED_BLOCK_SIZE);
}

// Puts bytes into one block.
static int write_part(struct cipher_file *file, const uint8_t *data, size_t size, sqlite3_int64 at)
{
    uint32_t number = (uint32_t)(at / BLOCK_SIZE);
    size_t skip = (size_t)(at % BLOCK_SIZE);
    sqlite3_int64 kept = file->size - (sqlite3_int64)number * BLOCK_SIZE; // bytes of the block below the end
    int code = SQLITE_OK;
    if (size == BLOCK_SIZE)
        return write_block(file, number, data);
    if (kept > 0)
        code = read_block(file, number, file->scratch);
    if (code)
        return code;
    if (kept < BLOCK_SIZE) // what lies behind the end is from before a truncation
        memset(file->scratch + (kept > 0 ? kept : 0), 0, (size_t)(BLOCK_SIZE - (kept > 0 ? kept : 0)));
    memcpy(file->scratch + skip, data, size);
    return write_block(file, number, file->scratch);
}

// Every block below the size is there: SQLite may write behind the end first and fill in later.
static int fill_up_to(struct cipher_file *file, sqlite3_int64 at)
{
    static const uint8_t zeros[BLOCK_SIZE];
    for (sqlite3_int64 next = (file->size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE; next + BLOCK_SIZE <= at;
         next += BLOCK_SIZE) {
        int code = write_block(file, (uint32_t)(next / BLOCK_SIZE), zeros);
        if (code)
            return code;
        file->size = next + BLOCK_SIZE;
    }
    return SQLITE_OK;
}

int ch_cipher_temp_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    const uint8_t *from = data;
    int code = fill_up_to(file, at);
    while (!code && size > 0) {
        sqlite3_int64 room = BLOCK_SIZE - at % BLOCK_SIZE;
        sqlite3_int64 part = size < room ? size : room;
        code = write_part(file, from, (size_t)part, at);
        if (code)
            break;
        from += part;
        at += part;
        size -= (int)part;
        if (at > file->size)
            file->size = at;
    }
    return code;
}

int ch_cipher_temp_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    sqlite3_int64 there = at < file->size ? file->size - at : 0;
    bool is_short = there < size;
    uint8_t *to = out;
    if (is_short)
        memset(to + there, 0, (size_t)(size - there));
    for (sqlite3_int64 left = is_short ? there : size; left > 0;) {
        sqlite3_int64 room = BLOCK_SIZE - at % BLOCK_SIZE;
        sqlite3_int64 part = left < room ? left : room;
        int code = read_block(file, (uint32_t)(at / BLOCK_SIZE), file->scratch);
        if (code)
            return code;
        memcpy(to, file->scratch + at % BLOCK_SIZE, (size_t)part);
        to += part;
        at += part;
        left -= part;
    }
    return is_short ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

// The last block keeps bytes behind the new end; reads stop before them, and the next write clears them.
int ch_cipher_temp_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    sqlite3_int64 blocks = (size + BLOCK_SIZE - 1) / BLOCK_SIZE;
    if (size >= file->size)
        return SQLITE_OK;
    int code = file->real->pMethods->xTruncate(file->real, blocks * SEALED_BLOCK_SIZE);
    if (code == SQLITE_OK)
        file->size = size;
    return code;
}

int ch_cipher_temp_size(sqlite3_file *base, sqlite3_int64 *out)
{
    *out = ch_cipher_file_of(base)->size;
    return SQLITE_OK;
}

// --- journals -------------------------------------------------------------------------------------------------------

static int journal_close(sqlite3_file *base)
{
    ch_free(ch_cipher_file_of(base)->journal);
    ch_cipher_file_of(base)->journal = NULL;
    return SQLITE_OK;
}

static int journal_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    const struct cipher_file *file = ch_cipher_file_of(base);
    sqlite3_int64 there = at < file->size ? file->size - at : 0;
    if (there >= size) {
        memcpy(out, file->journal + at, (size_t)size);
        return SQLITE_OK;
    }
    memset(out, 0, (size_t)size);
    if (there)
        memcpy(out, file->journal + at, (size_t)there);
    return SQLITE_IOERR_SHORT_READ;
}

static int journal_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    if (at + size > JOURNAL_SIZE_MAX)
        return SQLITE_FULL; // nothing but the making of a file may use one
    if (!file->journal && !(file->journal = ch_alloc_zeroed(1, JOURNAL_SIZE_MAX)))
        return SQLITE_IOERR_NOMEM;
    memcpy(file->journal + at, data, (size_t)size);
    if (at + size > file->size)
        file->size = at + size;
    return SQLITE_OK;
}

static int journal_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    if (size < file->size)
        file->size = size;
    return SQLITE_OK;
}

static int journal_sync(sqlite3_file *base, int flags)
{
    (void)base, (void)flags;
    return SQLITE_OK;
}

static int journal_lock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int journal_reserved(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int journal_control(sqlite3_file *base, int op, void *argument)
{
    (void)base, (void)op, (void)argument;
    return SQLITE_NOTFOUND;
}

static int journal_number(sqlite3_file *base)
{
    (void)base;
    return 0;
}

const sqlite3_io_methods ch_cipher_journal_methods = {
    .iVersion = 1,
    .xClose = journal_close,
    .xRead = journal_read,
    .xWrite = journal_write,
    .xTruncate = journal_truncate,
    .xSync = journal_sync,
    .xFileSize = ch_cipher_temp_size,
    .xLock = journal_lock,
    .xUnlock = journal_lock,
    .xCheckReservedLock = journal_reserved,
    .xFileControl = journal_control,
    .xSectorSize = journal_number,
    .xDeviceCharacteristics = journal_number,
};
