// The bytes of a file, twice: what is there, which a killed program leaves behind, and what is safe, which a power cut cannot take. Between the two
// lies the list of writes since the last sync, in order: a sync applies it to what is safe, a power cut draws which of them arrived.
//
// A file owns all three and the index of its log; files of the disk live as long as the disk, also deleted ones, temporary ones as long as their handle.
// Memory that runs out ends the test.
#include "sim/disk_parts.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void sim_content_resize(struct sim_content *content, size_t size)
{
    if (size > content->capacity) {
        size_t capacity = content->capacity ? content->capacity : 8192;
        while (capacity < size)
            capacity *= 2;
        content->data = realloc(content->data, capacity);
        CHARLE_ASSERT(content->data);
        content->capacity = capacity;
    }
    if (size > content->size)
        memset(content->data + content->size, 0, size - content->size);
    content->size = size;
}

void sim_content_put(struct sim_content *content, size_t at, const uint8_t *data, size_t size)
{
    if (at + size > content->size)
        sim_content_resize(content, at + size);
    memcpy(content->data + at, data, size);
}

void sim_content_copy(struct sim_content *to, const struct sim_content *from)
{
    sim_content_resize(to, from->size);
    if (from->size)
        memcpy(to->data, from->data, from->size);
}

void sim_pending_add(struct sim_file *file, size_t at, const void *data, size_t size)
{
    if (!file->name[0])
        return;
    if (file->pending_count == file->pending_capacity) {
        file->pending_capacity = file->pending_capacity ? file->pending_capacity * 2 : 64;
        file->pending = realloc(file->pending, file->pending_capacity * sizeof(*file->pending));
        CHARLE_ASSERT(file->pending);
    }
    struct sim_pending *pending = &file->pending[file->pending_count++];
    *pending = (struct sim_pending){.at = at, .size = size};
    if (size) {
        pending->data = malloc(size);
        CHARLE_ASSERT(pending->data);
        memcpy(pending->data, data, size);
    }
}

void sim_pending_apply(struct sim_content *content, const struct sim_pending *pending, size_t size)
{
    if (!pending->data)
        sim_content_resize(content, pending->at);
    else if (size)
        sim_content_put(content, pending->at, pending->data, size);
}

void sim_pending_clear(struct sim_file *file)
{
    for (size_t i = 0; i < file->pending_count; i++)
        free(file->pending[i].data);
    file->pending_count = 0;
}

void sim_file_free(struct sim_file *file)
{
    sim_pending_clear(file);
    sim_index_clear(file);
    free(file->pending);
    free(file->now.data);
    free(file->safe.data);
    free(file);
}
