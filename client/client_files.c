// The public side of attachments: adding, handing out, listing. What happens to a file is in files.c and transfer.c.
#include "client/edge.h"

#include "base/alloc.h"
#include "client/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { READ_SIZE = 4 * CH_FILE_PIECE_SIZE };

static enum charle_err check_name(const char *hash, struct charle_error *err)
{
    uint8_t bytes[CH_FILE_HASH_SIZE];
    if (hash && ch_file_name_read(charle_str(hash), bytes))
        return CHARLE_OK;
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the name of a file is 64 small hexadecimal digits, not \"%.70s\"", hash ? hash : "");
}

static void fill_ref(const struct ch_file *file, struct charle_attachment_ref *out)
{
    *out = (struct charle_attachment_ref){.size = file->size};
    memcpy(out->hash, file->name, sizeof(out->hash));
    memcpy(out->media_type, file->media_type, sizeof(out->media_type));
}

static void wake(struct charle_client *client)
{
    ch_edge_wish(client, EDGE_FILES, NULL);
    ch_edge_changed(client, CHARLE_EVENT_STATUS, NULL, 0);
}

// --- adding -------------------------------------------------------------------------------------------------------------

// As much as fits, fewer only at the end.
static enum charle_err read_full(int fd, uint8_t *out, size_t size, size_t *out_size, const char *name, struct charle_error *err)
{
    *out_size = 0;
    while (*out_size < size) {
        ssize_t got = read(fd, out + *out_size, size - *out_size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ch_file_fail(name, "cannot be read", errno, err);
        if (got == 0)
            break;
        *out_size += (size_t)got;
    }
    return CHARLE_OK;
}

static enum charle_err add_block(struct ch_file_adding *adding, crypto_generichash_state *state, struct charle_bytes bytes, struct charle_error *err)
{
    crypto_generichash_update(state, bytes.ptr, bytes.len);
    return bytes.len ? ch_files_append(adding, bytes, err) : CHARLE_OK;
}

static enum charle_err add_fd(struct ch_file_adding *adding, crypto_generichash_state *state, int fd, const char *name, struct charle_error *err)
{
    uint8_t *block = ch_alloc(READ_SIZE);
    size_t size = READ_SIZE;
    enum charle_err rc = block ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to read a file");
    while (!rc && size == READ_SIZE) {
        rc = read_full(fd, block, READ_SIZE, &size, name, err);
        if (!rc)
            rc = add_block(adding, state, charle_bytes(block, size), err);
    }
    ch_free(block);
    return rc;
}

static enum charle_err add_bytes(struct ch_file_adding *adding, crypto_generichash_state *state, const struct charle_attachment_source *source,
                                 struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t at = 0; !rc && at < source->size; at += READ_SIZE) {
        size_t size = source->size - at < READ_SIZE ? source->size - at : READ_SIZE;
        rc = add_block(adding, state, charle_bytes((const uint8_t *)source->bytes + at, size), err);
    }
    return rc;
}

static enum charle_err add_source(struct ch_file_adding *adding, crypto_generichash_state *state, const struct charle_attachment_source *source,
                                  struct charle_error *err)
{
    if (source->has_fd)
        return add_fd(adding, state, source->fd, "the file", err);
    if (!source->path)
        return add_bytes(adding, state, source, err);
    int fd = open(source->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? charle_fail(err, CHARLE_NOT_FOUND, "%s does not exist", source->path)
                               : ch_file_fail(source->path, "cannot be opened", errno, err);
    enum charle_err rc = add_fd(adding, state, fd, source->path, err);
    close(fd);
    return rc;
}

static enum charle_err check_source(const struct charle_attachment_source *source, struct charle_error *err)
{
    if ((source->path != NULL) + source->has_fd + (source->bytes != NULL) != 1)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "give a path, a descriptor or bytes: one of them, not none and not several");
    if (source->media_type && strlen(source->media_type) > CH_FILE_MEDIA_TYPE_LEN_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a media type has at most %d characters, such as image/png", CH_FILE_MEDIA_TYPE_LEN_MAX);
    return CHARLE_OK;
}

int charle_attachment_put(struct charle_client *client, const struct charle_attachment_source *source, struct charle_attachment_ref *out,
                          struct charle_error *err)
{
    struct ch_file_adding adding = {0};
    struct ch_file file;
    crypto_generichash_state state;
    uint8_t hash[CH_FILE_HASH_SIZE];
    char name[CH_FILE_NAME_LEN + 1];
    enum charle_err rc = check_source(source, err);
    if (!rc)
        rc = ch_files_add(client->replica.files, source->media_type, &adding, err);
    if (rc)
        return (int)rc;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    rc = add_source(&adding, &state, source, err);
    crypto_generichash_final(&state, hash, sizeof(hash));
    ch_file_name_write(hash, name);
    if (!rc)
        rc = ch_files_finish(&adding, name, &file, err);
    if (rc) {
        ch_files_give_up(&adding);
        return (int)rc;
    }
    fill_ref(&file, out);
    wake(client);
    return CHARLE_OK;
}

// --- handing out --------------------------------------------------------------------------------------------------------

struct waiting {
    const char *hash;
    const struct charle_attachment_options *options;
    struct ch_file file;
};

static enum charle_err is_here(struct charle_client *client, void *ctx, struct charle_error *err)
{
    struct waiting *waiting = ctx;
    const struct charle_attachment_options *options = waiting->options;
    enum charle_err rc = ch_files_find(client->replica.files, waiting->hash, &waiting->file, err);
    if (rc || waiting->file.state == CH_FILE_WHOLE)
        return rc;
    if (waiting->file.code)
        return charle_fail(err, waiting->file.code, "%s", waiting->file.text);
    if (options->fn && !options->fn(options->ctx, waiting->file.have, waiting->file.size))
        return charle_fail(err, CHARLE_CANCELLED, "nobody waits for the file any more; it goes on being fetched");
    return CHARLE_DONE;
}

static enum charle_err write_all(int fd, const uint8_t *bytes, size_t size, const char *name, struct charle_error *err)
{
    while (size) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno != EINTR)
            return ch_file_fail(name, "cannot be written", errno, err);
        bytes += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
    }
    return CHARLE_OK;
}

static enum charle_err copy_out(struct charle_client *client, const struct ch_file *file, int fd, const char *name, struct charle_error *err)
{
    uint8_t *block = ch_alloc(READ_SIZE);
    size_t size = 0;
    enum charle_err rc = block ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to hand out a file");
    for (int64_t at = 0; !rc && at < file->size; at += (int64_t)size) {
        rc = ch_files_read(client->replica.files, file, at, block, READ_SIZE, &size, err);
        if (!rc && !size)
            rc = charle_fail(err, CHARLE_DATA_LOSS, "the file %.12s… ends early", file->name);
        if (!rc)
            rc = write_all(fd, block, size, name, err);
    }
    ch_free(block);
    return rc;
}

// A file without a name, which goes when it is closed.
static int open_nameless(const struct charle_client *client)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", client->file);
    char *slash = strrchr(folder, '/');
    if (client->replica.cipher)
        return memfd_create("charle", MFD_CLOEXEC);
    if (slash)
        slash[1] = '\0';
    int fd = open(slash ? folder : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("charle", MFD_CLOEXEC);
}

static enum charle_err hand_out_fd(struct charle_client *client, const struct ch_file *file, int *out_fd, struct charle_error *err)
{
    int fd = open_nameless(client);
    if (fd < 0)
        return ch_file_fail("a temporary file", "cannot be made", errno, err);
    enum charle_err rc = copy_out(client, file, fd, "a temporary file", err);
    if (!rc && lseek(fd, 0, SEEK_SET) != 0)
        rc = ch_file_fail("a temporary file", "cannot be read", errno, err);
    if (rc)
        close(fd);
    else
        *out_fd = fd;
    return rc;
}

// Under another name first: whoever looks sees a whole file.
static enum charle_err hand_out_path(struct charle_client *client, const struct ch_file *file, const char *path, struct charle_error *err)
{
    char next[PATH_MAX];
    if (snprintf(next, sizeof(next), "%s.%ld.part", path, (long)getpid()) >= (int)sizeof(next))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path is too long");
    int fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return ch_file_fail(next, "cannot be made", errno, err);
    enum charle_err rc = copy_out(client, file, fd, next, err);
    if (!rc && fsync(fd) != 0)
        rc = ch_file_fail(next, "cannot be synced", errno, err);
    close(fd);
    if (!rc && rename(next, path) != 0)
        rc = ch_file_fail(path, "cannot be put in its place", errno, err);
    if (rc)
        unlink(next);
    return rc ? rc : ch_folder_sync(path, err);
}

static enum charle_err fetch(struct charle_client *client, struct waiting *waiting, struct charle_error *err)
{
    struct ch_files *files = client->replica.files;
    if (waiting->options->is_local || client->replica.is_read_only) {
        enum charle_err rc = ch_files_find(files, waiting->hash, &waiting->file, err);
        bool is_whole = !rc && waiting->file.state == CH_FILE_WHOLE;
        return rc || is_whole ? rc : charle_fail(err, CHARLE_NOT_FOUND, "the file %.12s… is not here yet", waiting->hash);
    }
    enum charle_err rc = ch_files_want(files, waiting->hash, &waiting->file, err);
    if (rc || waiting->file.state == CH_FILE_WHOLE)
        return rc;
    return (enum charle_err)ch_client_wait_for(client, waiting->options->timeout_ms, "fetching the file", is_here, waiting, err);
}

int charle_attachment_get(struct charle_client *client, const char *hash, const struct charle_attachment_options *options,
                          struct charle_attachment_ref *out_ref, int *out_fd, struct charle_error *err)
{
    static const struct charle_attachment_options none = {0};
    struct waiting waiting = {.hash = hash, .options = options ? options : &none};
    enum charle_err rc = check_name(hash, err);
    if (!rc)
        rc = fetch(client, &waiting, err);
    if (!rc && waiting.options->path)
        rc = hand_out_path(client, &waiting.file, waiting.options->path, err);
    if (!rc && out_fd)
        rc = hand_out_fd(client, &waiting.file, out_fd, err);
    if (!rc && out_ref)
        fill_ref(&waiting.file, out_ref);
    return (int)rc;
}

int charle_attachment_want(struct charle_client *client, const char *hash, struct charle_error *err)
{
    struct ch_file file;
    enum charle_err rc = check_name(hash, err);
    if (!rc)
        rc = ch_files_want(client->replica.files, hash, &file, err);
    if (!rc)
        wake(client);
    return (int)rc;
}

// --- looking ------------------------------------------------------------------------------------------------------------

static enum charle_attachment_state state_of(const struct ch_file *file)
{
    if (file->code)
        return CHARLE_ATTACHMENT_REFUSED;
    if (file->state == CH_FILE_FETCHING)
        return CHARLE_ATTACHMENT_FETCHING;
    return file->sent_at ? CHARLE_ATTACHMENT_HERE : CHARLE_ATTACHMENT_UNSENT;
}

int charle_attachments(struct charle_client *client, charle_attachment_list_fn fn, void *ctx, struct charle_error *err)
{
    struct ch_file file = {0};
    enum charle_err rc;
    while ((rc = ch_files_next(client->replica.files, file.id, &file, err)) == CHARLE_OK) {
        const struct charle_attachment_entry entry = {.hash = file.name, .media_type = file.media_type[0] ? file.media_type : NULL,
                                                      .size = file.size, .have = file.have, .state = state_of(&file),
                                                      .is_pinned = file.is_pinned, .problem = file.code ? file.text : NULL};
        if (!fn(ctx, &entry))
            return CHARLE_OK;
    }
    return rc == CHARLE_DONE ? CHARLE_OK : (int)rc;
}

int charle_attachment_pin(struct charle_client *client, const char *hash, bool is_pinned, struct charle_error *err)
{
    enum charle_err rc = check_name(hash, err);
    return (int)(rc ? rc : ch_files_pin(client->replica.files, hash, is_pinned, err));
}

int charle_attachment_drop(struct charle_client *client, const char *hash, struct charle_error *err)
{
    enum charle_err rc = check_name(hash, err);
    return (int)(rc ? rc : ch_files_drop(client->replica.files, hash, err));
}

int charle_client_set_attachment_budget(struct charle_client *client, int64_t bytes, struct charle_error *err)
{
    if (bytes < 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a budget cannot be negative");
    enum charle_err rc = ch_files_set_budget(client->replica.files, bytes ? bytes : CH_FILE_CACHE_SIZE, err);
    return (int)rc;
}
