// Three-way merge of text, paragraph by paragraph.
//
// Each side is compared with the base by its longest common subsequence of paragraphs. Paragraphs of the base that both
// sides kept are fixed points; between two of them lies a chunk of each text. A chunk that one side left alone is the
// other side's; a chunk that both changed alike is that; chunks of as many paragraphs are taken one paragraph at a
// time; where the base has nothing and both put something in, both follow one another; anything else is an overlap, and
// both versions are kept between lines that say so.
//
// Blank lines between paragraphs become one when two texts are put together.
#include "base/buf.h"
#include "base/limits.h"
#include "sync/merge.h"

#define NONE SIZE_MAX

struct paragraphs {
    struct charle_str *items;
    size_t count;
};

// A piece of each text between two fixed points.
struct chunk {
    const struct charle_str *items;
    size_t count;
};

static size_t next_break(struct charle_str text, size_t from)
{
    for (size_t i = from; i + 1 < text.len; i++) {
        if (text.ptr[i] == '\n' && text.ptr[i + 1] == '\n')
            return i;
    }
    return text.len;
}

static bool split(struct charle_str text, struct charle_arena *arena, struct paragraphs *out)
{
    size_t count = 1;
    for (size_t at = next_break(text, 0); at < text.len; at = next_break(text, at + 1))
        count++;
    *out = (struct paragraphs){charle_arena_array(arena, count, sizeof(*out->items)), 0};
    if (!out->items)
        return false;
    for (size_t at = 0; at < text.len;) {
        size_t end = next_break(text, at);
        if (end > at)
            out->items[out->count++] = charle_str_n(text.ptr + at, end - at);
        for (at = end; at < text.len && text.ptr[at] == '\n'; at++)
            ;
    }
    if (out->count > CH_MERGE_PARAGRAPHS_MAX) { // too long to compare in pieces: one piece
        out->items[0] = text;
        out->count = 1;
    }
    return true;
}

// match[i] is the paragraph of `side` that stands for base's i-th, or NONE.
static bool align(const struct paragraphs *base, const struct paragraphs *side, struct charle_arena *arena,
                  size_t **out)
{
    size_t rows = base->count + 1, width = side->count + 1;
    uint16_t *length = charle_arena_array(arena, rows * width, sizeof(*length));
    size_t *match = charle_arena_array(arena, base->count + 1, sizeof(*match));
    if (!length || !match)
        return false;
    for (size_t i = base->count; i-- > 0;) {
        for (size_t n = side->count; n-- > 0;) {
            uint16_t down = length[(i + 1) * width + n], right = length[i * width + n + 1];
            length[i * width + n] = charle_str_equal(base->items[i], side->items[n])
                                        ? (uint16_t)(length[(i + 1) * width + n + 1] + 1)
                                    : down > right ? down
                                                   : right;
        }
    }
    for (size_t i = 0, n = 0; i < base->count; i++) {
        while (n < side->count && !charle_str_equal(base->items[i], side->items[n]) &&
               length[i * width + n + 1] == length[i * width + n])
            n++;
        bool is_match = n < side->count && charle_str_equal(base->items[i], side->items[n]);
        match[i] = is_match ? n++ : NONE;
        CHARLE_ASSERT(n <= side->count);
    }
    *out = match;
    return true;
}

static bool is_same(const struct chunk *a, const struct chunk *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = charle_str_equal(a->items[i], b->items[i]);
    return same;
}

static void add_paragraph(struct charle_buf *buf, struct charle_str text)
{
    if (buf->size)
        charle_buf_add_text(buf, "\n\n");
    charle_buf_add_str(buf, text);
}

static void add_chunk(struct charle_buf *buf, const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++)
        add_paragraph(buf, chunk->items[i]);
}

static void merge_chunk(const struct chunk *base, const struct chunk *stored, const struct chunk *wanted,
                        struct charle_buf *buf, bool *is_marked)
{
    // Neighbouring paragraphs that were changed one by one leave no fixed point between them; their number says so.
    if (base->count > 1 && stored->count == base->count && wanted->count == base->count) {
        for (size_t i = 0; i < base->count; i++) {
            struct chunk one[3] = {{base->items + i, 1}, {stored->items + i, 1}, {wanted->items + i, 1}};
            merge_chunk(&one[0], &one[1], &one[2], buf, is_marked);
        }
        return;
    }
    if (is_same(stored, base) || is_same(stored, wanted)) {
        add_chunk(buf, wanted);
    } else if (is_same(wanted, base)) {
        add_chunk(buf, stored);
    } else if (!base->count) {
        add_chunk(buf, stored);
        add_chunk(buf, wanted);
    } else {
        *is_marked = true;
        add_paragraph(buf, CHARLE_STR(CH_MERGE_MARK_FIRST));
        add_chunk(buf, stored);
        add_paragraph(buf, CHARLE_STR(CH_MERGE_MARK_SECOND));
        add_chunk(buf, wanted);
        add_paragraph(buf, CHARLE_STR(CH_MERGE_MARK_END));
    }
}

static struct chunk between(const struct paragraphs *text, size_t from, size_t to)
{
    CHARLE_ASSERT(from <= to && to <= text->count); // fixed points come in the order of all three texts
    return (struct chunk){text->items + from, to - from};
}

struct charle_str ch_merge_text(struct charle_str base_text, struct charle_str stored_text,
                                struct charle_str wanted_text, struct charle_arena *arena, bool *out_is_marked)
{
    struct charle_str result = {0};
    struct charle_buf buf = {0};
    struct paragraphs base, stored, wanted;
    size_t *in_stored, *in_wanted;
    *out_is_marked = false;
    if (!split(base_text, arena, &base) || !split(stored_text, arena, &stored) || !split(wanted_text, arena, &wanted) ||
        !align(&base, &stored, arena, &in_stored) || !align(&base, &wanted, arena, &in_wanted))
        goto done;
    size_t b = 0, s = 0, w = 0;
    for (size_t i = 0; i <= base.count; i++) {
        bool is_end = i == base.count;
        if (!is_end && (in_stored[i] == NONE || in_wanted[i] == NONE))
            continue;
        size_t s_to = is_end ? stored.count : in_stored[i], w_to = is_end ? wanted.count : in_wanted[i];
        struct chunk chunks[3] = {between(&base, b, i), between(&stored, s, s_to), between(&wanted, w, w_to)};
        merge_chunk(&chunks[0], &chunks[1], &chunks[2], &buf, out_is_marked);
        if (!is_end)
            add_paragraph(&buf, base.items[i]);
        b = i + 1;
        s = s_to + 1;
        w = w_to + 1;
    }
    if (!buf.failed)
        result = charle_arena_str(arena, charle_buf_str(&buf));
done:
    charle_buf_deinit(&buf);
    return result;
}
