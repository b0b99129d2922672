#include "rpc/streams.h"

#include "base/alloc.h"

enum { FIRST_CAPACITY = 16 };

// Numbers are given out one after another, so the low bits spread by themselves and neighbours stay neighbours in
// memory.
static uint32_t home(const struct ch_streams *streams, uint32_t id)
{
    return id & (streams->capacity - 1);
}

static void place(struct ch_streams *streams, struct ch_conn_stream *stream)
{
    uint32_t slot = home(streams, stream->id);
    while (streams->slots[slot])
        slot = (slot + 1) & (streams->capacity - 1);
    streams->slots[slot] = stream;
}

static enum charle_err grow(struct ch_streams *streams)
{
    struct ch_streams larger = {.capacity = streams->capacity ? streams->capacity * 2 : FIRST_CAPACITY,
                                .count = streams->count};
    larger.slots = ch_alloc_zeroed(larger.capacity, sizeof(struct ch_conn_stream *));
    if (!larger.slots)
        return CHARLE_NO_MEMORY;
    for (uint32_t i = 0; i < streams->capacity; i++) {
        if (streams->slots[i])
            place(&larger, streams->slots[i]);
    }
    ch_free(streams->slots);
    *streams = larger;
    return CHARLE_OK;
}

enum charle_err ch_streams_add(struct ch_streams *streams, struct ch_conn_stream *stream)
{
    // At most half full, so that a walk along neighbours stays short.
    if (streams->count * 2 >= streams->capacity && grow(streams))
        return CHARLE_NO_MEMORY;
    place(streams, stream);
    streams->count++;
    return CHARLE_OK;
}

static uint32_t find_slot(const struct ch_streams *streams, uint32_t id)
{
    uint32_t slot = home(streams, id);
    while (streams->slots[slot] && streams->slots[slot]->id != id)
        slot = (slot + 1) & (streams->capacity - 1);
    return slot;
}

struct ch_conn_stream *ch_streams_find(const struct ch_streams *streams, uint32_t id)
{
    return streams->capacity ? streams->slots[find_slot(streams, id)] : NULL;
}

void ch_streams_remove(struct ch_streams *streams, struct ch_conn_stream *stream)
{
    uint32_t mask = streams->capacity - 1;
    uint32_t hole = find_slot(streams, stream->id);
    CHARLE_ASSERT(streams->slots[hole] == stream);
    // Close the hole: whoever behind it would no longer be found from its home moves in.
    for (uint32_t slot = (hole + 1) & mask; streams->slots[slot]; slot = (slot + 1) & mask) {
        uint32_t from_home = (slot - home(streams, streams->slots[slot]->id)) & mask;
        if (from_home >= ((slot - hole) & mask)) {
            streams->slots[hole] = streams->slots[slot];
            hole = slot;
        }
    }
    streams->slots[hole] = NULL;
    streams->count--;
}

struct ch_conn_stream *ch_streams_next(const struct ch_streams *streams, uint32_t *slot)
{
    while (*slot < streams->capacity) {
        struct ch_conn_stream *stream = streams->slots[(*slot)++];
        if (stream)
            return stream;
    }
    return NULL;
}

void ch_streams_shrink(struct ch_streams *streams)
{
    if (streams->count == 0)
        ch_streams_deinit(streams);
}

void ch_streams_deinit(struct ch_streams *streams)
{
    ch_free(streams->slots);
    *streams = (struct ch_streams){0};
}
