#include "msg/wire.h"
#include "server/sync/tick.h"
#include "server/sync/tick_parts.h"

#include <stdio.h>
#include <stdlib.h>

// One scope of a stream. Sorted by `known`, as the entries of ticks are.
struct place {
    struct ch_known *known;
    int64_t stamp;
    uint64_t lineage; // of the stamp's epoch, as the replica has it
};

struct ch_tick_stream {
    struct ch_ticks *ticks;
    uint64_t tick;  // the one it reads
    size_t piece;   // of that tick's pieces for this stream, the first that was not sent
    size_t sent;    // pieces in the page that was written last; taken back by is_repeat
    bool is_ending; // the page written last ended its tick
    bool only_tells;
    bool must_pull;      // its person's scopes are others now
    bool is_partial;     // its replica was told of scopes that have no place here yet
    uint64_t breaks;     // when it was opened
    char *person;        // principal, 0, id; NULL: not said
    size_t person_len;
    struct ch_tick_stream *previous, *following; // of all that are open
    size_t count;
    struct place places[];
};

static int by_known(const void *a, const void *b)
{
    uint64_t x = ((const struct place *)a)->known->number, y = ((const struct place *)b)->known->number;
    return (x > y) - (x < y);
}

static struct place *find_place(struct ch_tick_stream *stream, const struct ch_known *known)
{
    const struct place key = {.known = (struct ch_known *)(uintptr_t)known};
    return bsearch(&key, stream->places, stream->count, sizeof(*stream->places), by_known);
}

// Does the entry change what the stream has? -1: it cannot pass here.
static int passes(const struct place *place, const struct ch_tick_entry *entry)
{
    if (!place || place->stamp >= entry->to)
        return 0;
    return entry->has_delta && place->stamp >= entry->from ? 1 : -1;
}

static enum charle_err pull_again(struct charle_error *err)
{
    return charle_fail(err, CHARLE_ABORTED, "the changes kept in memory do not reach back to this position");
}

// Goes over the ticks from the oldest one: is there a way from the positions to what is known now?
static bool reaches_now(struct ch_tick_stream *stream)
{
    struct ch_ticks *ticks = stream->ticks;
    CHARLE_ASSERT(ticks->next - ticks->first <= CH_TICKS_MAX);
    for (uint64_t n = ticks->first; n < ticks->next; n++) {
        const struct ch_tick *tick = &ticks->ring[n % CH_TICKS_MAX];
        for (size_t i = 0; i < tick->entry_count; i++) {
            struct place *place = find_place(stream, tick->entries[i].known);
            int way = passes(place, &tick->entries[i]);
            if (way && stream->tick == UINT64_MAX)
                stream->tick = n;
            if (way < 0 || (way > 0 && (tick->is_break || tick->changes_grants)))
                return false;
            if (way > 0)
                place->stamp = tick->entries[i].to;
        }
    }
    for (size_t i = 0; i < stream->count; i++) {
        if (stream->places[i].stamp < stream->places[i].known->stamp)
            return false;
    }
    if (stream->tick == UINT64_MAX)
        stream->tick = ticks->next;
    CHARLE_ASSERT(stream->tick >= ticks->first && stream->tick <= ticks->next);
    return true;
}

static enum charle_err fill_places(struct ch_tick_stream *stream, const struct ch_positions *positions, struct charle_error *err)
{
    for (size_t i = 0; i < positions->count; i++) {
        struct ch_known *known = ch_ticks_find(stream->ticks, positions->items[i].scope);
        if (!known) {
            // A scope that nothing has touched; it becomes known so that the first change finds its watcher.
            enum charle_err rc = ch_ticks_know(stream->ticks, positions->items[i].scope, &known, err);
            if (rc)
                return rc;
        }
        stream->places[stream->count++] = (struct place){known, positions->items[i].stamp, positions->items[i].lineage};
    }
    qsort(stream->places, stream->count, sizeof(*stream->places), by_known);
    CHARLE_ASSERT(stream->count == positions->count);
    return CHARLE_OK;
}

enum charle_err ch_tick_stream_open(struct ch_ticks *ticks, const struct ch_positions *positions, struct ch_tick_stream **out,
                                    struct charle_error *err)
{
    if (!ticks->is_known || !positions->is_whole)
        return pull_again(err);
    struct ch_tick_stream *stream = ch_alloc_zeroed(1, sizeof(*stream) + positions->count * sizeof(*stream->places));
    if (!stream)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live stream");
    stream->ticks = ticks;
    stream->tick = UINT64_MAX;
    stream->breaks = ticks->breaks;
    enum charle_err rc = fill_places(stream, positions, err);
    if (rc == CHARLE_OK && !reaches_now(stream))
        rc = pull_again(err);
    if (rc) {
        ch_free(stream);
        return rc;
    }
    // The way was only tried; the positions are still where they were.
    for (size_t i = 0; i < positions->count; i++) {
        struct place *place = find_place(stream, ch_ticks_find(ticks, positions->items[i].scope));
        CHARLE_ASSERT(place); // fill_places made one for each
        place->stamp = positions->items[i].stamp;
        place->known->watchers++;
    }
    CHARLE_ASSERT(!stream->sent && !stream->piece);
    stream->following = ticks->streams;
    if (ticks->streams)
        ticks->streams->previous = stream;
    ticks->streams = stream;
    *out = stream;
    return CHARLE_OK;
}

enum charle_err ch_tick_stream_open_current(struct ch_ticks *ticks, const struct charle_pull_request *request,
                                            struct ch_tick_stream **out, struct charle_error *err)
{
    const struct charle_cursor *const *cursors = request->cursor.items;
    char device[CH_SCOPE_LEN_MAX + 8];
    int len = snprintf(device, sizeof(device), "device:%.*s", CHARLE_FMT(request->device_id));
    const struct ch_known *own = ch_ticks_find(ticks, charle_str_n(device, (size_t)len));
    size_t count = request->cursor.count;
    struct ch_positions positions = {.items = ch_realloc_array(NULL, count + 1, sizeof(*positions.items)), .is_whole = true};
    if (!positions.items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live stream");
    for (size_t i = 0; i < count; i++)
        positions.items[positions.count++] = (struct ch_position){cursors[i]->scope, cursors[i]->stamp, cursors[i]->lineage};
    if (own)
        positions.items[positions.count++] = (struct ch_position){charle_str_n(device, (size_t)len), own->stamp, own->lineage};
    enum charle_err rc = ch_tick_stream_open(ticks, &positions, out, err);
    ch_free(positions.items);
    return rc;
}

void ch_tick_stream_only_tells(struct ch_tick_stream *stream)
{
    stream->only_tells = true;
}

void ch_tick_stream_backlog(const struct ch_tick_stream *stream, int64_t *out_stamps, size_t *out_bytes)
{
    const struct ch_ticks *ticks = stream->ticks;
    *out_stamps = 0;
    *out_bytes = 0;
    for (uint64_t n = stream->tick < ticks->first ? ticks->first : stream->tick; n < ticks->next; n++) {
        const struct ch_tick *tick = &ticks->ring[n % CH_TICKS_MAX];
        for (size_t i = 0; i < tick->entry_count; i++) {
            const struct ch_tick_entry *entry = &tick->entries[i];
            const struct place key = {.known = entry->known};
            const struct place *place = bsearch(&key, stream->places, stream->count, sizeof(*stream->places), by_known);
            if (!place || place->stamp >= entry->to)
                continue;
            *out_stamps += entry->to - (entry->from > place->stamp ? entry->from : place->stamp);
            *out_bytes += entry->bytes.size;
        }
    }
}

void ch_tick_stream_close(struct ch_tick_stream *stream)
{
    if (!stream)
        return;
    CHARLE_ASSERT((stream->previous ? stream->previous->following : stream->ticks->streams) == stream);
    for (size_t i = 0; i < stream->count; i++) {
        CHARLE_ASSERT(stream->places[i].known->watchers > 0);
        stream->places[i].known->watchers--;
    }
    *(stream->previous ? &stream->previous->following : &stream->ticks->streams) = stream->following;
    if (stream->following)
        stream->following->previous = stream->previous;
    ch_free(stream->person);
    ch_free(stream);
}

// --- grants -------------------------------------------------------------------------------------------------------------

enum charle_err ch_tick_stream_belongs_to(struct ch_tick_stream *stream, const struct ch_sync_peer *peer, bool is_partial,
                                          struct charle_error *err)
{
    size_t len = peer->principal.len + 1 + peer->id.len;
    CHARLE_ASSERT(peer->principal.ptr && peer->id.ptr);
    char *person = ch_alloc_zeroed(1, len + 1);
    if (!person)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live stream");
    memcpy(person, peer->principal.ptr, peer->principal.len);
    memcpy(person + peer->principal.len + 1, peer->id.ptr, peer->id.len);
    ch_free(stream->person);
    stream->is_partial = is_partial;
    stream->person = person;
    stream->person_len = len;
    return CHARLE_OK;
}

static enum charle_err read_person(const struct ch_ticks *ticks, struct charle_db *db, const struct ch_tick_stream *stream,
                                   struct charle_arena *arena, struct ch_tick_person **out, struct charle_error *err)
{
    struct ch_tick_person *person = charle_arena_alloc(arena, sizeof(*person) + stream->person_len);
    const struct charle_str *scopes;
    size_t count;
    struct ch_sync_peer peer = {.principal = charle_str(stream->person)};
    peer.id = charle_str_n(stream->person + peer.principal.len + 1, stream->person_len - peer.principal.len - 1);
    enum charle_err rc = ch_sync_scopes_of(ticks->sync, db, &peer, arena, &scopes, &count, err);
    CHARLE_ASSERT(rc || !count || scopes);
    if (rc)
        return rc;
    struct charle_str *shown = charle_arena_array(arena, count + 1, sizeof(*shown));
    if (!person || !shown)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for what a person may see");
    *person = (struct ch_tick_person){.scopes = shown, .name_len = stream->person_len};
    memcpy(person->name, stream->person, stream->person_len);
    for (size_t i = 0; i < count; i++) {
        if (ch_sync_shows(ticks->sync, scopes[i]))
            shown[person->scope_count++] = scopes[i];
    }
    *out = person;
    return CHARLE_OK;
}

// Each scope of the person has its place in the stream, and the stream has no others but the device's own.
static bool has_scopes_of(struct ch_tick_stream *stream, const struct ch_tick_person *person)
{
    size_t own_count = 0;
    for (size_t i = 0; i < stream->count; i++)
        own_count += charle_str_has_prefix(charle_str(stream->places[i].known->scope), CHARLE_STR("device:"));
    CHARLE_ASSERT(own_count <= stream->count);
    if (stream->count - own_count != person->scope_count)
        return false;
    for (size_t i = 0; i < person->scope_count; i++) {
        const struct ch_known *known = ch_ticks_find(stream->ticks, person->scopes[i]);
        if (!known || !find_place(stream, known))
            return false;
    }
    return true;
}

static enum charle_err check_streams(struct ch_ticks *ticks, struct charle_db *db, struct charle_arena *arena, struct ch_tick_person **persons,
                                     bool *out_is_too_many, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (struct ch_tick_stream *stream = ticks->streams; rc == CHARLE_OK && stream && !*out_is_too_many; stream = stream->following) {
        struct ch_tick_person *person = NULL;
        if (stream->person)
            HASH_FIND(hh, *persons, stream->person, stream->person_len, person);
        if (stream->person && !person) {
            *out_is_too_many = HASH_COUNT(*persons) == CH_TICK_PERSONS_MAX;
            if (*out_is_too_many)
                break;
            rc = read_person(ticks, db, stream, arena, &person, err);
            if (rc == CHARLE_OK)
                HASH_ADD_KEYPTR(hh, *persons, person->name, person->name_len, person);
        }
        if (rc == CHARLE_OK)
            stream->must_pull = stream->must_pull || stream->is_partial || !person || !has_scopes_of(stream, person);
    }
    return rc;
}

enum charle_err ch_tick_streams_check(struct ch_ticks *ticks, struct charle_db *db, struct charle_arena *arena, bool *out_is_too_many,
                                      struct charle_error *err)
{
    struct ch_tick_person *persons = NULL;
    *out_is_too_many = false;
    enum charle_err rc = check_streams(ticks, db, arena, &persons, out_is_too_many, err);
    HASH_CLEAR(hh, persons);
    return rc;
}

// The stream has all of its tick.
static void pass(struct ch_tick_stream *stream)
{
    CHARLE_ASSERT(stream->tick >= stream->ticks->first && stream->tick < stream->ticks->next);
    const struct ch_tick *tick = &stream->ticks->ring[stream->tick % CH_TICKS_MAX];
    for (size_t i = 0; i < tick->entry_count; i++) {
        struct place *place = find_place(stream, tick->entries[i].known);
        if (place && place->stamp < tick->entries[i].to) {
            place->stamp = tick->entries[i].to;
            place->lineage = tick->entries[i].lineage;
        }
    }
    stream->tick++;
    stream->piece = 0;
}

// What the page written last held is done with, now that it is known to be on its way.
static void settle(struct ch_tick_stream *stream, bool is_repeat)
{
    if (!is_repeat) {
        stream->piece += stream->sent;
        if (stream->is_ending && stream->tick >= stream->ticks->first) // of one that is forgotten nobody knows what it brought
            pass(stream);
    }
    stream->sent = 0;
    stream->is_ending = false;
}

bool ch_tick_stream_cursors(struct ch_tick_stream *stream, bool is_repeat, struct charle_arena *arena, struct charle_array *out)
{
    const struct charle_cursor **items = charle_arena_array(arena, stream->count, sizeof(*items));
    struct charle_cursor *cursors = charle_arena_array(arena, stream->count, sizeof(*cursors));
    size_t count = 0;
    settle(stream, is_repeat);
    for (size_t i = 0; items && cursors && i < stream->count; i++) {
        const struct place *place = &stream->places[i];
        struct charle_str scope = charle_str_n(place->known->scope, place->known->scope_len);
        if (charle_str_has_prefix(scope, CHARLE_STR("device:")))
            continue; // has no cursor
        cursors[count] = (struct charle_cursor){charle_arena_str(arena, scope), place->stamp, place->lineage};
        if (!cursors[count].scope.ptr)
            return false;
        items[count] = &cursors[count];
        count++;
        CHARLE_ASSERT(count <= stream->count);
    }
    *out = (struct charle_array){.items = items, .count = count, .has = true};
    return items && cursors;
}

enum { PAGE_IS_LAST = 5, PAGE_LAST_SEQUENCE = 6 }; // fields of PullPage

struct writing {
    struct charle_buf *page;
    size_t index;     // of the piece at hand, counted over the entries that are for this stream
    size_t added;
    int64_t sequence; // -1: none
    bool is_full, has_something;
};

// Adds the entry's pieces that were not sent yet, as many as fit. At least one piece goes into a page.
static void add_pieces(struct ch_tick_stream *stream, const struct ch_tick_entry *entry, struct writing *writing)
{
    for (size_t i = 0; i < entry->piece_count; i++, writing->index++) {
        size_t start = i ? entry->ends[i - 1] : 0, size = entry->ends[i] - start;
        CHARLE_ASSERT(entry->ends[i] > start && entry->ends[i] <= entry->bytes.size);
        if (writing->index < stream->piece || writing->is_full)
            continue;
        writing->is_full = writing->page->size && writing->page->size + size > CH_PAGE_SIZE_TARGET;
        if (writing->is_full)
            continue;
        charle_buf_add(writing->page, entry->bytes.data + start, size);
        writing->added++;
    }
}

static enum charle_err write_tick(struct ch_tick_stream *stream, const struct ch_tick *tick, struct writing *writing, struct charle_error *err)
{
    for (size_t i = 0; i < tick->entry_count; i++) {
        const struct ch_tick_entry *entry = &tick->entries[i];
        int way = passes(find_place(stream, entry->known), entry);
        if (way < 0 || (way > 0 && stream->only_tells))
            return pull_again(err);
        if (!way)
            continue;
        writing->has_something = true;
        if (entry->sequence >= 0)
            writing->sequence = entry->sequence;
        add_pieces(stream, entry, writing);
    }
    return CHARLE_OK;
}

static void add_number(struct charle_buf *page, uint32_t field, uint64_t value)
{
    charle_wire_write_tag(page, field, 0);
    charle_wire_write_varint(page, value);
}

// As write_tick, of a tick whose last entries are not read yet. False: the stream cannot pass it.
static bool write_unfinished(struct ch_tick_stream *stream, const struct ch_tick *tick, struct writing *writing)
{
    for (size_t i = 0; i < tick->entry_count; i++) {
        const struct ch_tick_entry *entry = &tick->entries[i];
        const struct place *place = find_place(stream, entry->known);
        if (!place || place->stamp >= entry->to)
            continue;
        if (place->stamp < entry->from)
            return false;
        add_pieces(stream, entry, writing);
    }
    return true;
}

bool ch_tick_stream_part(struct ch_tick_stream *stream, bool is_repeat, struct charle_buf *page)
{
    const struct ch_ticks *ticks = stream->ticks;
    struct writing writing = {.page = page, .sequence = -1};
    charle_buf_reset(page);
    if (!ticks->unfinished || stream->breaks != ticks->breaks || stream->must_pull || stream->only_tells || stream->tick < ticks->first)
        return false;
    settle(stream, is_repeat);
    if (stream->tick != ticks->next || !write_unfinished(stream, ticks->unfinished, &writing) || !writing.added)
        return false;
    CHARLE_ASSERT(!stream->sent && !stream->is_ending);
    add_number(page, PAGE_IS_LAST, false);
    stream->sent = page->failed ? 0 : writing.added;
    return !page->failed;
}

enum charle_err ch_tick_stream_next(struct ch_tick_stream *stream, bool is_repeat, struct charle_buf *page, struct charle_error *err)
{
    struct ch_ticks *ticks = stream->ticks;
    charle_buf_reset(page);
    if (stream->breaks != ticks->breaks || stream->must_pull || stream->tick < ticks->first)
        return pull_again(err);
    for (settle(stream, is_repeat); stream->tick < ticks->next; pass(stream)) {
        struct writing writing = {.page = page, .sequence = -1};
        enum charle_err rc = write_tick(stream, &ticks->ring[stream->tick % CH_TICKS_MAX], &writing, err);
        if (rc)
            return rc;
        if (!writing.has_something)
            continue;
        CHARLE_ASSERT(writing.added || !writing.is_full); // at least one piece goes into a page
        stream->sent = writing.added;
        stream->is_ending = !writing.is_full;
        add_number(page, PAGE_IS_LAST, !writing.is_full);
        if (!writing.is_full && writing.sequence >= 0)
            add_number(page, PAGE_LAST_SEQUENCE, (uint64_t)writing.sequence);
        return page->failed ? charle_fail(err, page->failed, "a page does not fit in memory") : CHARLE_OK;
    }
    return CHARLE_DONE;
}
