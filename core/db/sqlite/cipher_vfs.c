// The VFS itself, and the main file of an encrypted database: pages in their places, each with its seal at its end.
#include "base/alloc.h"
#include "db/sqlite/cipher_parts.h"
#include "db/sqlite/sqlite.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    FIRST_READ_SIZE = 100,        // what SQLite reads of page 1 before it knows the size of a page
    OP_PAGE_SIZE = 0x43684301,    // our own file controls: of a cipher's file only
    OP_DAMAGE = 0x43684302,
};

static const char sqlite_mark[CH_CIPHER_MARK_SIZE] = "SQLite format 3";

static sqlite3_file *real_of(sqlite3_file *base)
{
    return ch_cipher_file_of(base)->real;
}

// --- pages ----------------------------------------------------------------------------------------------------------

// The first bytes of page 1 are the mark, in clear; everything else of a page is sealed.
static size_t clear_size(uint32_t number)
{
    return number == 1 ? CH_CIPHER_MARK_SIZE : 0;
}

// Opens a page in place; the reserved bytes become zeros, as SQLite left them.
static int open_page(struct cipher_file *file, uint32_t number, uint8_t *page)
{
    const struct unit_name name = {.kind = UNIT_PAGE, .number = number};
    size_t clear = clear_size(number), size = file->cipher->page_size - CH_CIPHER_SEAL_SIZE;
    if (memcmp(page, file->cipher->mark, clear) != 0 ||
        !ch_cipher_unseal(file, &name, page + clear, size - clear, page + size, page + clear))
        return SQLITE_IOERR_DATA;
    memcpy(page, sqlite_mark, clear);
    memset(page + size, 0, CH_CIPHER_SEAL_SIZE);
    return SQLITE_OK;
}

static int read_page(struct cipher_file *file, uint32_t number, uint8_t *page)
{
    uint32_t size = file->cipher->page_size;
    sqlite3_int64 at = (sqlite3_int64)(number - 1) * size, end = 0;
    int code = file->real->pMethods->xRead(file->real, page, (int)size, at);
    if (code == SQLITE_IOERR_SHORT_READ) {
        // Nothing is there: SQLite asks for page 1 of an empty file. Half a page: a write was cut, and the log has it whole.
        code = file->real->pMethods->xFileSize(file->real, &end);
        if (!code && end > at)
            return ch_cipher_note_damage(file, "page %u of the file", number);
        memset(page, 0, size);
        return code ? code : SQLITE_IOERR_SHORT_READ;
    }
    if (code)
        return code;
    code = open_page(file, number, page);
    return code ? ch_cipher_note_damage(file, "page %u of the file", number) : SQLITE_OK;
}

// What SQLite wants to know before it looks for a log: how large pages are, how much is reserved, and that there is a log.
// Everything that says something about the content is zero; it comes with the whole page 1.
static void make_first_bytes(const struct cipher_file *file, uint8_t out[FIRST_READ_SIZE])
{
    uint32_t size = file->cipher->page_size;
    memset(out, 0, FIRST_READ_SIZE);
    memcpy(out, sqlite_mark, CH_CIPHER_MARK_SIZE);
    out[16] = (uint8_t)(size >> 8);
    out[17] = (uint8_t)(size == 65536 ? 1 : size);
    out[18] = out[19] = 2; // with a log
    out[20] = CH_CIPHER_SEAL_SIZE;
    out[21] = 64;
    out[22] = out[23] = 32;
}

static int main_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    uint32_t page_size = file->cipher->page_size, number = (uint32_t)(at / page_size) + 1;
    size_t skip = (size_t)(at % page_size);
    if (skip == 0 && (uint32_t)size == page_size)
        return read_page(file, number, out);
    if (skip + (size_t)size > page_size)
        return SQLITE_IOERR_READ; // SQLite reads pages, and pieces of page 1
    int code = read_page(file, number, file->scratch);
    if (code == SQLITE_IOERR_DATA && at == 0 && size == FIRST_READ_SIZE)
        make_first_bytes(file, file->scratch);
    else if (code && code != SQLITE_IOERR_SHORT_READ)
        return code;
    memcpy(out, file->scratch + skip, (size_t)size);
    return code == SQLITE_IOERR_SHORT_READ ? code : SQLITE_OK;
}

static int main_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    uint32_t page_size = file->cipher->page_size, number = (uint32_t)(at / page_size) + 1;
    if ((uint32_t)size != page_size || at % page_size)
        return SQLITE_IOERR_WRITE; // a database of another page size
    const struct unit_name name = {.kind = UNIT_PAGE, .number = number};
    size_t clear = clear_size(number), content = page_size - CH_CIPHER_SEAL_SIZE;
    ch_cipher_seal(file, &name, (const uint8_t *)data + clear, content - clear, file->scratch + clear, file->scratch + content);
    memcpy(file->scratch, file->cipher->mark, clear);
    return file->real->pMethods->xWrite(file->real, file->scratch, size, at);
}

static int main_control(sqlite3_file *base, int op, void *argument)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    if (op == OP_PAGE_SIZE) {
        *(int *)argument = (int)file->cipher->page_size;
        return SQLITE_OK;
    }
    if (op == OP_DAMAGE) {
        pthread_mutex_lock(&file->cipher->mutex);
        memcpy(argument, file->cipher->damage, sizeof(file->cipher->damage));
        pthread_mutex_unlock(&file->cipher->mutex);
        return SQLITE_OK;
    }
    if (op == SQLITE_FCNTL_MMAP_SIZE)
        return SQLITE_NOTFOUND; // pages are opened one by one, not mapped
    return file->real->pMethods->xFileControl(file->real, op, argument);
}

// --- what is passed on ----------------------------------------------------------------------------------------------

static int pass_close(sqlite3_file *base)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    ch_free(file->scratch);
    file->scratch = NULL;
    sodium_memzero(file->own_key, sizeof(file->own_key));
    return file->real->pMethods ? file->real->pMethods->xClose(file->real) : SQLITE_OK;
}

static int pass_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    return real_of(base)->pMethods->xTruncate(real_of(base), size);
}

static int pass_sync(sqlite3_file *base, int flags)
{
    return real_of(base)->pMethods->xSync(real_of(base), flags);
}

static int pass_size(sqlite3_file *base, sqlite3_int64 *out)
{
    return real_of(base)->pMethods->xFileSize(real_of(base), out);
}

static int pass_lock(sqlite3_file *base, int level)
{
    return real_of(base)->pMethods->xLock(real_of(base), level);
}

static int pass_unlock(sqlite3_file *base, int level)
{
    return real_of(base)->pMethods->xUnlock(real_of(base), level);
}

static int pass_reserved(sqlite3_file *base, int *out)
{
    return real_of(base)->pMethods->xCheckReservedLock(real_of(base), out);
}

static int pass_control(sqlite3_file *base, int op, void *argument)
{
    return real_of(base)->pMethods->xFileControl(real_of(base), op, argument);
}

static int pass_sector(sqlite3_file *base)
{
    return real_of(base)->pMethods->xSectorSize(real_of(base));
}

// A unit on the disk is not what SQLite writes, so nothing about its atomicity holds; neighbours are left alone.
static int characteristics(sqlite3_file *base)
{
    int real = real_of(base)->pMethods->xDeviceCharacteristics(real_of(base));
    return (real & (SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | SQLITE_IOCAP_IMMUTABLE)) | SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **out)
{
    return real_of(base)->pMethods->xShmMap(real_of(base), page, size, extend, out);
}

static int shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    int code = file->real->pMethods->xShmLock(file->real, offset, count, flags);
    if (code || !(flags & SQLITE_SHM_EXCLUSIVE))
        return code;
    unsigned bits = ((1u << count) - 1) << offset;
    file->log_locks = flags & SQLITE_SHM_LOCK ? file->log_locks | bits : file->log_locks & ~bits;
    if (offset == LOG_WRITE_LOCK && (flags & SQLITE_SHM_LOCK))
        file->log_turn++;
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
    real_of(base)->pMethods->xShmBarrier(real_of(base));
}

static int shm_unmap(sqlite3_file *base, int delete_flag)
{
    ch_cipher_file_of(base)->log_locks = 0;
    return real_of(base)->pMethods->xShmUnmap(real_of(base), delete_flag);
}

#define PASSED                                                                                                         \
    .xClose = pass_close, .xLock = pass_lock, .xUnlock = pass_unlock, .xCheckReservedLock = pass_reserved,             \
    .xSectorSize = pass_sector, .xDeviceCharacteristics = characteristics

static const sqlite3_io_methods main_methods = {
    .iVersion = 2, PASSED, .xRead = main_read, .xWrite = main_write, .xTruncate = pass_truncate, .xSync = pass_sync,
    .xFileSize = pass_size, .xFileControl = main_control, .xShmMap = shm_map, .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier, .xShmUnmap = shm_unmap,
};

static const sqlite3_io_methods log_methods = {
    .iVersion = 1, PASSED, .xRead = ch_cipher_log_read, .xWrite = ch_cipher_log_write, .xTruncate = ch_cipher_log_truncate,
    .xSync = ch_cipher_log_sync, .xFileSize = ch_cipher_log_size, .xFileControl = pass_control,
};

static const sqlite3_io_methods temp_methods = {
    .iVersion = 1, PASSED, .xRead = ch_cipher_temp_read, .xWrite = ch_cipher_temp_write,
    .xTruncate = ch_cipher_temp_truncate, .xSync = pass_sync, .xFileSize = ch_cipher_temp_size, .xFileControl = pass_control,
};

// --- opening --------------------------------------------------------------------------------------------------------

static struct ch_cipher *cipher_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static const sqlite3_io_methods *methods_for(int flags)
{
    if (flags & SQLITE_OPEN_MAIN_DB)
        return &main_methods;
    if (flags & SQLITE_OPEN_WAL)
        return &log_methods;
    if (flags & SQLITE_OPEN_MAIN_JOURNAL)
        return &ch_cipher_journal_methods;
    if (flags & (SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB | SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_SUBJOURNAL))
        return &temp_methods;
    return NULL; // a journal of several databases: there is only one
}

static int open_real(struct cipher_file *file, const char *name, int flags, int *out_flags)
{
    struct ch_cipher *cipher = file->cipher;
    size_t unit = cipher->page_size > BLOCK_SIZE ? cipher->page_size : BLOCK_SIZE;
    file->scratch = ch_alloc(unit + CH_CIPHER_SEAL_SIZE + 32 + CH_CIPHER_SEAL_SIZE);
    if (!file->scratch)
        return SQLITE_NOMEM;
    int code = cipher->parent->xOpen(cipher->parent, name, file->real, flags, out_flags);
    if (code) {
        ch_free(file->scratch);
        file->scratch = NULL;
    }
    return code;
}

static int cipher_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    struct ch_cipher *cipher = cipher_of(vfs);
    const sqlite3_io_methods *methods = methods_for(flags);
    *file = (struct cipher_file){.cipher = cipher, .key = cipher->key};
    file->real = (sqlite3_file *)(void *)(file + 1);
    memset(file->real, 0, (size_t)cipher->parent->szOsFile);
    if (!methods)
        return SQLITE_CANTOPEN;
    int code = methods == &ch_cipher_journal_methods ? SQLITE_OK : open_real(file, name, flags, out_flags);
    if (code)
        return code;
    randombytes_buf(file->nonce + 8, NONCE_SIZE - 8);
    if (methods == &temp_methods) {
        randombytes_buf(file->own_key, sizeof(file->own_key));
        file->key = file->own_key;
    }
    if (methods == &log_methods)
        file->main = ch_cipher_file_of(sqlite3_database_file_object(name));
    if (methods == &ch_cipher_journal_methods && out_flags)
        *out_flags = flags;
    base->pMethods = methods;
    return SQLITE_OK;
}

static bool is_journal(const char *name)
{
    size_t len = name ? strlen(name) : 0;
    return len > 8 && strcmp(name + len - 8, "-journal") == 0;
}

static int cipher_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct ch_cipher *cipher = cipher_of(vfs);
    return is_journal(name) ? SQLITE_OK : cipher->parent->xDelete(cipher->parent, name, sync_folder);
}

// A journal that lies beside the file is not ours, and must not be played back.
static int cipher_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    struct ch_cipher *cipher = cipher_of(vfs);
    *out = 0;
    return is_journal(name) ? SQLITE_OK : cipher->parent->xAccess(cipher->parent, name, flags, out);
}

static int cipher_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    return cipher_of(vfs)->parent->xFullPathname(cipher_of(vfs)->parent, name, size, out);
}

static int cipher_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    return cipher_of(vfs)->parent->xRandomness(cipher_of(vfs)->parent, size, out);
}

static int cipher_sleep(sqlite3_vfs *vfs, int us)
{
    return cipher_of(vfs)->parent->xSleep(cipher_of(vfs)->parent, us);
}

static int cipher_time(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    return cipher_of(vfs)->parent->xCurrentTimeInt64(cipher_of(vfs)->parent, out);
}

static int cipher_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    sqlite3_vfs *parent = cipher_of(vfs)->parent;
    return parent->xGetLastError ? parent->xGetLastError(parent, size, out) : 0;
}

static int register_vfs(struct ch_cipher *cipher)
{
    static atomic_uint next; // only makes names differ
    snprintf(cipher->name, sizeof(cipher->name), "charle-cipher-%u", atomic_fetch_add(&next, 1));
    cipher->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct cipher_file) + cipher->parent->szOsFile,
        .mxPathname = cipher->parent->mxPathname,
        .zName = cipher->name,
        .pAppData = cipher,
        .xOpen = cipher_open,
        .xDelete = cipher_delete,
        .xAccess = cipher_access,
        .xFullPathname = cipher_path,
        .xRandomness = cipher_randomness,
        .xSleep = cipher_sleep,
        .xGetLastError = cipher_last_error,
        .xCurrentTimeInt64 = cipher_time,
    };
    return sqlite3_vfs_register(&cipher->vfs, 0);
}

enum charle_err ch_cipher_open(const uint8_t key[CH_CIPHER_KEY_SIZE], const char *parent, uint32_t page_size,
                               struct ch_cipher **out, struct charle_error *err)
{
    if (sodium_init() < 0)
        return charle_fail(err, CHARLE_INTERNAL, "libsodium does not work on this machine");
    struct ch_cipher *cipher = ch_alloc_zeroed(1, sizeof(*cipher));
    if (!cipher)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a cipher");
    pthread_mutex_init(&cipher->mutex, NULL);
    cipher->page_size = page_size;
    cipher->parent = sqlite3_vfs_find(parent);
    cipher->key = sodium_malloc(CH_CIPHER_KEY_SIZE);
    enum charle_err rc = CHARLE_OK;
    if (!cipher->parent)
        rc = charle_fail(err, CHARLE_INTERNAL, "SQLite has no file system \"%s\"", parent ? parent : "");
    else if (!cipher->key)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no locked memory for a key");
    if (!rc) {
        memcpy(cipher->key, key, CH_CIPHER_KEY_SIZE);
        sodium_mprotect_readonly(cipher->key);
        ch_cipher_mark(key, cipher->mark);
        if (register_vfs(cipher))
            rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for a file system of SQLite's");
    }
    if (rc)
        ch_cipher_close(cipher);
    else
        *out = cipher;
    return rc;
}

// --- around a connection --------------------------------------------------------------------------------------------

int ch_cipher_prepare(sqlite3 *handle)
{
    char pragma[40];
    int page_size = 0, reserved = CH_CIPHER_SEAL_SIZE;
    if (sqlite3_file_control(handle, "main", OP_PAGE_SIZE, &page_size) != SQLITE_OK)
        return SQLITE_OK;
    snprintf(pragma, sizeof(pragma), "pragma page_size = %d", page_size);
    int code = sqlite3_exec(handle, pragma, NULL, NULL, NULL);
    return code ? code : sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
}

bool ch_cipher_damage(sqlite3 *handle, char *out, size_t size)
{
    char damage[sizeof(((struct ch_cipher *)0)->damage)] = "";
    if (sqlite3_file_control(handle, "main", OP_DAMAGE, damage) != SQLITE_OK || !damage[0])
        return false;
    snprintf(out, size, "%s", damage);
    return true;
}

static int drop_unfinished(sqlite3 *handle)
{
    sqlite3_file *base = NULL;
    int has_log = 0, page_size = 0;
    sqlite3_int64 size = 0;
    if (sqlite3_file_control(handle, "main", OP_PAGE_SIZE, &page_size) != SQLITE_OK ||
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &base) != SQLITE_OK)
        return SQLITE_OK;
    struct cipher_file *file = ch_cipher_file_of(base);
    sqlite3_vfs *parent = file->cipher->parent;
    int code = parent->xAccess(parent, sqlite3_filename_wal(sqlite3_db_filename(handle, "main")), SQLITE_ACCESS_EXISTS, &has_log);
    if (!code)
        code = file->real->pMethods->xFileSize(file->real, &size);
    if (code || has_log || size == 0 || size > page_size)
        return code;
    code = read_page(file, 1, file->scratch);
    return code == SQLITE_IOERR_DATA ? file->real->pMethods->xTruncate(file->real, 0) : code;
}

enum charle_err ch_cipher_drop_unfinished(const char *vfs, const char *file, struct charle_error *err)
{
    sqlite3 *handle = NULL;
    int code = sqlite3_open_v2(file, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
    if (!code)
        code = drop_unfinished(handle);
    enum charle_err rc = code ? ch_sqlite_fail(handle, code, "opening", err) : CHARLE_OK;
    sqlite3_close(handle);
    return rc;
}
