#include "history/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = {'C', 'H', 'H', 'I', 'S', 'T', '1', '\n'};
enum { FILE_HEAD_SIZE = 16, HEAD_SIZE = 24 };

struct history_writer {
    int fd;
    char path[256];
    uint8_t bytes[HEAD_SIZE + 8 * HISTORY_WORDS_MAX];
};

struct history_reader {
    FILE *from;
    char path[256];
    uint64_t words[HISTORY_WORDS_MAX];
};

// Little-endian machines only, as everything we build for; __BYTE_ORDER__ guards it.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "history files are little-endian");

// A process that is killed in the middle of a write leaves a part of a record: the next one would write behind it.
static bool drop_torn_record(int fd)
{
    uint8_t head[HEAD_SIZE];
    uint32_t count;
    off_t size = lseek(fd, 0, SEEK_END), at = FILE_HEAD_SIZE;
    while (pread(fd, head, sizeof(head), at) == sizeof(head)) {
        memcpy(&count, head + 4, 4);
        off_t next = at + HEAD_SIZE + 8 * (off_t)count;
        if (next > size)
            break;
        at = next;
    }
    return size == 0 || ftruncate(fd, size < FILE_HEAD_SIZE ? 0 : at) == 0;
}

enum charle_err history_writer_open(const char *path, struct history_writer **out, struct charle_error *err)
{
    uint8_t head[FILE_HEAD_SIZE] = {0};
    struct history_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a history");
    snprintf(writer->path, sizeof(writer->path), "%s", path);
    writer->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    memcpy(head, magic, sizeof(magic));
    if (writer->fd < 0 || !drop_torn_record(writer->fd) || (lseek(writer->fd, 0, SEEK_END) == 0 && write(writer->fd, head, sizeof(head)) != sizeof(head))) {
        history_writer_close(writer);
        return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "%s: %s", path, strerror(errno));
    }
    *out = writer;
    return CHARLE_OK;
}

void history_writer_close(struct history_writer *writer)
{
    if (writer && writer->fd >= 0)
        close(writer->fd);
    free(writer);
}

enum charle_err history_write(struct history_writer *writer, const struct history_record *record, struct charle_error *err)
{
    if (record->word_count > HISTORY_WORDS_MAX)
        return charle_fail(err, CHARLE_TOO_LARGE, "a record of %zu words; at most %d", record->word_count, HISTORY_WORDS_MAX);
    const uint16_t process = (uint16_t)record->process;
    const uint32_t count = (uint32_t)record->word_count;
    uint8_t *head = writer->bytes;
    memset(head, 0, HEAD_SIZE);
    head[0] = (uint8_t)record->kind;
    memcpy(head + 2, &process, 2);
    memcpy(head + 4, &count, 4);
    memcpy(head + 8, &record->at_us, 8);
    memcpy(head + 16, &record->op, 8);
    if (count)
        memcpy(head + HEAD_SIZE, record->words, 8 * (size_t)count);
    ssize_t size = HEAD_SIZE + 8 * (ssize_t)count;
    if (write(writer->fd, writer->bytes, (size_t)size) != size)
        return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "%s: %s", writer->path, strerror(errno));
    return CHARLE_OK;
}

enum charle_err history_reader_open(const char *path, struct history_reader **out, struct charle_error *err)
{
    uint8_t head[FILE_HEAD_SIZE];
    struct history_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a history");
    snprintf(reader->path, sizeof(reader->path), "%s", path);
    reader->from = fopen(path, "rb");
    if (reader->from && fread(head, 1, sizeof(head), reader->from) == sizeof(head) && memcmp(head, magic, sizeof(magic)) == 0) {
        *out = reader;
        return CHARLE_OK;
    }
    const char *why = reader->from ? "is no history" : strerror(errno);
    history_reader_close(reader);
    return charle_fail(err, CHARLE_MALFORMED, "%s: %s", path, why);
}

void history_reader_close(struct history_reader *reader)
{
    if (reader && reader->from)
        fclose(reader->from);
    free(reader);
}

enum charle_err history_read(struct history_reader *reader, struct history_record *out, struct charle_error *err)
{
    uint8_t head[HEAD_SIZE];
    uint16_t process;
    uint32_t count;
    if (fread(head, 1, sizeof(head), reader->from) != sizeof(head))
        return CHARLE_DONE;
    memcpy(&process, head + 2, 2);
    memcpy(&count, head + 4, 4);
    *out = (struct history_record){.kind = (enum history_kind)head[0], .process = process, .words = reader->words, .word_count = count};
    memcpy(&out->at_us, head + 8, 8);
    memcpy(&out->op, head + 16, 8);
    if (head[0] < HISTORY_INVOKE || head[0] > HISTORY_TOTAL || count > HISTORY_WORDS_MAX || process >= HISTORY_PROCESSES_MAX)
        return charle_fail(err, CHARLE_MALFORMED, "%s: at byte %ld is no record", reader->path, ftell(reader->from) - HEAD_SIZE);
    return fread(reader->words, 8, count, reader->from) == count ? CHARLE_OK : CHARLE_DONE;
}
