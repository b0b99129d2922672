// The log (-wal) of an encrypted database.
//
// SQLite writes and reads it in three pieces: a header of 32 bytes, and for each frame a head of 24 bytes and a page.
// On the disk each is sealed for itself, so none is ever rewritten because a neighbour changes:
//
//   SQLite's      header 32 | head 24, page P | head 24, page P | …
//   on the disk   header 72 | head 72, page P + 40 | head 72, page P + 40 | …
//
// A head carries 8 bytes of ours behind SQLite's 24: how many frames the writer knew to be synced when it wrote this
// one. Recovery needs that to tell a log that was cut off by a power cut from one that was damaged later. After a commit
// was synced, a tail of 72 bytes takes the place of the next head and says the same about that commit; it is not synced
// itself, so only in the first seconds after the last commit damage to it may look like a power cut.
//
//   bytes of a head   0 page number, 4 size of the database after a commit, 8 salts, 16 checksums, 24 frames synced
//   bytes of a header 0 magic … 16 salts, 24 checksums
#include "db/sqlite/cipher_parts.h"

#include <string.h>

enum { HEADER_SIZE = 32, HEAD_SIZE = 24, SEALED_SIZE = 32 + CH_CIPHER_SEAL_SIZE, SALT_SIZE = 8 };

struct place {
    uint32_t number;        // of the frame
    sqlite3_int64 on_disk;  // where its head begins
    sqlite3_int64 rest;     // into SQLite's frame
};

static sqlite3_int64 frame_size(const struct cipher_file *file)
{
    return (sqlite3_int64)HEAD_SIZE + file->cipher->page_size;
}

static sqlite3_int64 frame_size_on_disk(const struct cipher_file *file)
{
    return (sqlite3_int64)SEALED_SIZE + file->cipher->page_size + CH_CIPHER_SEAL_SIZE;
}

static struct place place_of(const struct cipher_file *file, sqlite3_int64 at)
{
    sqlite3_int64 number = (at - HEADER_SIZE) / frame_size(file);
    return (struct place){.number = (uint32_t)number, .on_disk = SEALED_SIZE + number * frame_size_on_disk(file),
                          .rest = (at - HEADER_SIZE) % frame_size(file)};
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum |= bytes[i];
    return sum == 0;
}

static int read_real(struct cipher_file *file, void *out, sqlite3_int64 size, sqlite3_int64 at)
{
    return file->real->pMethods->xRead(file->real, out, (int)size, at);
}

static int write_real(struct cipher_file *file, const void *data, sqlite3_int64 size, sqlite3_int64 at)
{
    return file->real->pMethods->xWrite(file->real, data, (int)size, at);
}

// --- small units: the header and the heads --------------------------------------------------------------------------

static bool unseal_small(const struct cipher_file *file, enum unit_kind kind, uint32_t number, const uint8_t *sealed,
                         uint8_t out[32])
{
    const struct unit_name name = {.kind = kind, .number = number};
    return ch_cipher_unseal(file, &name, sealed, 32, sealed + 32, out);
}

static int write_small(struct cipher_file *file, enum unit_kind kind, uint32_t number, const uint8_t plain[32],
                       sqlite3_int64 at)
{
    const struct unit_name name = {.kind = kind, .number = number};
    uint8_t sealed[SEALED_SIZE];
    ch_cipher_seal(file, &name, plain, 32, sealed, sealed + 32);
    return write_real(file, sealed, sizeof(sealed), at);
}

static bool forgive(struct cipher_file *file)
{
    file->cipher->was_forgiving = file->cipher->is_forgiving;
    return file->cipher->is_forgiving;
}

static int read_header(struct cipher_file *file, uint8_t out[HEADER_SIZE])
{
    uint8_t sealed[SEALED_SIZE];
    memset(out, 0, HEADER_SIZE);
    int code = read_real(file, sealed, sizeof(sealed), 0);
    if (code || is_zero(sealed, sizeof(sealed))) // its space is there and its bytes were never written: an empty log
        return code;
    if (unseal_small(file, UNIT_LOG_HEADER, 0, sealed, out))
        return SQLITE_OK;
    code = ch_cipher_note_damage(file, "the header of the log");
    return forgive(file) ? SQLITE_OK : code;
}

// The header is synced before the first frame behind it is written, so one that does not open beside frames is damage.
static int write_header(struct cipher_file *file, const uint8_t *header)
{
    file->head_number = 0;
    file->frames_synced = 0;
    file->frames_written = 0;
    return write_small(file, UNIT_LOG_HEADER, 0, header, 0);
}

static void put_frames_synced(uint8_t head[32], uint32_t count)
{
    for (int i = 0; i < 4; i++)
        head[HEAD_SIZE + i] = (uint8_t)(count >> (8 * i));
}

// Another program may have begun the log anew, and frames of a transaction that was rolled back are written over: what was
// synced is never claimed for frames from this one on.
static void note_progress(struct cipher_file *file, uint32_t number, const uint8_t salts[SALT_SIZE])
{
    if (memcmp(file->head + 8, salts, SALT_SIZE) != 0)
        file->frames_synced = file->frames_written = 0;
    if (file->frames_synced > number)
        file->frames_synced = number;
    if (file->frames_written > number)
        file->frames_written = number;
}

static int write_head(struct cipher_file *file, const struct place *place, const uint8_t *head)
{
    uint8_t whole[32] = {0};
    note_progress(file, place->number, head + 8);
    memcpy(whole, head, HEAD_SIZE);
    put_frames_synced(whole, file->frames_synced);
    int code = write_small(file, UNIT_LOG_HEAD, place->number, whole, place->on_disk);
    if (code)
        return code;
    memcpy(file->head, whole, sizeof(whole));
    file->head_number = place->number + 1;
    return SQLITE_OK;
}

// --- pages ----------------------------------------------------------------------------------------------------------

// A page is bound to its head by what stays the same when SQLite writes the head again: page number and salts.
static struct unit_name page_name(uint32_t number, const uint8_t head[32])
{
    struct unit_name name = {.kind = UNIT_LOG_PAGE, .number = number};
    memcpy(name.more, head, 4);
    memcpy(name.more + 4, head + 8, SALT_SIZE);
    return name;
}

static int write_page(struct cipher_file *file, const struct place *place, const uint8_t *page)
{
    uint32_t size = file->cipher->page_size;
    uint8_t sealed[SEALED_SIZE];
    if (file->head_number != place->number + 1) { // a page of this transaction that is written once more
        int code = read_real(file, sealed, sizeof(sealed), place->on_disk);
        if (code)
            return code;
        if (!unseal_small(file, UNIT_LOG_HEAD, place->number, sealed, file->head))
            return ch_cipher_note_damage(file, "frame %u of the log", place->number + 1);
        file->head_number = place->number + 1;
    }
    const struct unit_name name = page_name(place->number, file->head);
    ch_cipher_seal(file, &name, page, size, file->scratch, file->scratch + size);
    if (file->frames_written <= place->number)
        file->frames_written = place->number + 1;
    file->turn = file->main->log_turn;
    return write_real(file, file->scratch, (sqlite3_int64)size + CH_CIPHER_SEAL_SIZE, place->on_disk + SEALED_SIZE);
}

static uint32_t frames_synced_of(const uint8_t head[32])
{
    return (uint32_t)head[24] | (uint32_t)head[25] << 8 | (uint32_t)head[26] << 16 | (uint32_t)head[27] << 24;
}

// Was the frame `number` of the log with these salts on the disk for sure? A later frame may say so.
static int was_synced(struct cipher_file *file, uint32_t number, const uint8_t salts[SALT_SIZE], bool *out)
{
    uint8_t sealed[SEALED_SIZE], head[32];
    sqlite3_int64 size, step = frame_size_on_disk(file);
    int code = file->real->pMethods->xFileSize(file->real, &size);
    *out = false;
    for (sqlite3_int64 at = SEALED_SIZE + ((sqlite3_int64)number + 1) * step; !code && !*out && at + SEALED_SIZE <= size;
         at += step) {
        code = read_real(file, sealed, sizeof(sealed), at);
        uint32_t later = (uint32_t)((at - SEALED_SIZE) / step);
        bool is_known = !code && (unseal_small(file, UNIT_LOG_HEAD, later, sealed, head) ||
                                  unseal_small(file, UNIT_LOG_TAIL, later, sealed, head));
        *out = is_known && memcmp(head + 8, salts, SALT_SIZE) == 0 && frames_synced_of(head) > number;
    }
    return code;
}

// A frame that recovery found unusable: the end of the log, shown as zeros, or damage.
static int end_of_log(struct cipher_file *file, const struct place *place, uint8_t *out, int size)
{
    uint8_t header[HEADER_SIZE];
    bool is_damage = false;
    int code = read_header(file, header);
    if (!code)
        code = was_synced(file, place->number, header + 16, &is_damage);
    if (code)
        return code;
    if (is_damage)
        code = ch_cipher_note_damage(file, "frame %u of the log", place->number + 1);
    if (code && !forgive(file))
        return code;
    memset(out, 0, (size_t)size);
    return SQLITE_OK;
}

// In recovery a frame of an older log is where this log ends, and SQLite sees that by itself; but not whether it may.
static int check_salts(struct cipher_file *file, const struct place *place, const uint8_t head[32], uint8_t *out, int size)
{
    uint8_t header[HEADER_SIZE];
    int code = read_header(file, header);
    if (code || memcmp(header + 16, head + 8, SALT_SIZE) == 0)
        return code;
    return end_of_log(file, place, out, size);
}

// Reads a frame's head and page at once, opens both and hands out the asked part.
static int read_frame(struct cipher_file *file, const struct place *place, uint8_t *out, int size)
{
    uint32_t page_size = file->cipher->page_size;
    uint8_t head[32], *sealed = file->scratch, *page = sealed + SEALED_SIZE;
    bool is_recovering = file->main->log_locks & 1u << LOG_RECOVER_LOCK;
    int code = read_real(file, sealed, frame_size_on_disk(file), place->on_disk);
    if (code)
        return code;
    bool is_good = unseal_small(file, UNIT_LOG_HEAD, place->number, sealed, head);
    if (is_good) {
        const struct unit_name name = page_name(place->number, head);
        is_good = ch_cipher_unseal(file, &name, page, page_size, page + page_size, page);
    }
    if (!is_good)
        return is_recovering ? end_of_log(file, place, out, size)
                             : ch_cipher_note_damage(file, "frame %u of the log", place->number + 1);
    size_t skip = (size_t)place->rest, from_head = skip < HEAD_SIZE ? HEAD_SIZE - skip : 0;
    if (from_head)
        memcpy(out, head, HEAD_SIZE);
    memcpy(out + from_head, page, (size_t)size - from_head);
    return is_recovering ? check_salts(file, place, head, out, size) : SQLITE_OK;
}

static int read_head(struct cipher_file *file, const struct place *place, uint8_t *out)
{
    uint8_t sealed[SEALED_SIZE], head[32];
    int code = read_real(file, sealed, sizeof(sealed), place->on_disk);
    if (code)
        return code;
    if (!unseal_small(file, UNIT_LOG_HEAD, place->number, sealed, head))
        return ch_cipher_note_damage(file, "frame %u of the log", place->number + 1);
    memcpy(out, head, HEAD_SIZE);
    return SQLITE_OK;
}

// --- the methods ----------------------------------------------------------------------------------------------------

int ch_cipher_log_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    memset(out, 0, (size_t)size);
    if (at == 0 && size == HEADER_SIZE)
        return read_header(file, out);
    struct place place = place_of(file, at);
    if (at < HEADER_SIZE || (place.rest != 0 && place.rest != HEAD_SIZE) || place.rest + size > frame_size(file))
        return SQLITE_IOERR_READ; // SQLite reads nothing else
    if (place.rest == 0 && size == HEAD_SIZE)
        return read_head(file, &place, out);
    if (place.rest == 0 && size < HEAD_SIZE)
        return SQLITE_IOERR_READ;
    return read_frame(file, &place, out, size);
}

int ch_cipher_log_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    if (at == 0 && size == HEADER_SIZE)
        return write_header(file, data);
    struct place place = place_of(file, at);
    if (at >= HEADER_SIZE && place.rest == 0 && size == HEAD_SIZE)
        return write_head(file, &place, data);
    if (at >= HEADER_SIZE && place.rest == HEAD_SIZE && size == (int)file->cipher->page_size)
        return write_page(file, &place, data);
    return SQLITE_IOERR_WRITE; // SQLite writes nothing else while frames are not split
}

int ch_cipher_log_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    sqlite3_int64 frames = size <= HEADER_SIZE ? 0 : (size - HEADER_SIZE + frame_size(file) - 1) / frame_size(file);
    if (frames < file->frames_synced)
        file->frames_synced = (uint32_t)frames;
    if (frames < file->frames_written)
        file->frames_written = (uint32_t)frames;
    return file->real->pMethods->xTruncate(file->real, size ? SEALED_SIZE + frames * frame_size_on_disk(file) : 0);
}

// Only the writer of the log's last frame knows where the log ends, and only until it lets the log go.
static int write_tail(struct cipher_file *file)
{
    uint8_t tail[32];
    bool is_mine = (file->main->log_locks & 1u << LOG_WRITE_LOCK) && file->turn == file->main->log_turn;
    if (!is_mine || file->frames_written == 0)
        return SQLITE_OK;
    memcpy(tail, file->head, sizeof(tail));
    put_frames_synced(tail, file->frames_synced);
    // Nobody misses a tail: that the disk is full by now does not undo the commit.
    (void)write_small(file, UNIT_LOG_TAIL, file->frames_written, tail, SEALED_SIZE + file->frames_written * frame_size_on_disk(file));
    return SQLITE_OK;
}

int ch_cipher_log_sync(sqlite3_file *base, int flags)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    int code = file->real->pMethods->xSync(file->real, flags);
    if (code)
        return code;
    file->frames_synced = file->frames_written;
    return write_tail(file);
}

int ch_cipher_log_size(sqlite3_file *base, sqlite3_int64 *out)
{
    struct cipher_file *file = ch_cipher_file_of(base);
    sqlite3_int64 size = 0;
    int code = file->real->pMethods->xFileSize(file->real, &size);
    *out = size < SEALED_SIZE ? 0 : HEADER_SIZE + (size - SEALED_SIZE) / frame_size_on_disk(file) * frame_size(file);
    return code;
}
