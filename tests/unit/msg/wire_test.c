// The codec against itself: every kind of field, every kind of damage, and what each refusal says.
#include "base/alloc.h"
#include "base/limits.h"
#include "msg/scalar.h"
#include "msg/wire.h"
#include "unit/msg/everything.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

// --- helpers -----------------------------------------------------------------------------------------------

#define BYTES(...) charle_bytes((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct charle_bytes encode(const struct charle_message *type, const void *message, struct charle_buf *buf)
{
    charle_buf_reset(buf);
    charle_message_write(type, message, buf);
    assert_int_equal(buf->failed, CHARLE_OK);
    return charle_buf_bytes(buf);
}

static void assert_bytes_equal(struct charle_bytes a, struct charle_bytes b)
{
    assert_int_equal(a.len, b.len);
    if (a.len)
        assert_memory_equal(a.ptr, b.ptr, a.len);
}

static void assert_refused(const struct charle_message *type, struct charle_bytes bytes, enum charle_err code,
                           const char *words)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    void *out = charle_arena_alloc(&arena, type->size);
    assert_int_equal(charle_message_read(type, bytes, &arena, out, &err), code);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, words))
        fail_msg("expected \"%s\" in \"%s\"", words, err.text);
    charle_arena_deinit(&arena);
}

static void read_ok(const struct charle_message *type, struct charle_bytes bytes, struct charle_arena *arena, void *out)
{
    struct charle_error err = {0};
    if (charle_message_read(type, bytes, arena, out, &err))
        fail_msg("refused: %s", err.text);
}

// --- cases -------------------------------------------------------------------------------------------------

static void random_messages_survive_the_wire(void **state)
{
    (void)state;
    struct rng rng = {42};
    struct charle_buf once = {0}, twice = {0};
    struct charle_arena arena = {0};
    for (int i = 0; i < 2000; i++) {
        charle_arena_reset(&arena);
        struct everything in = {0}, out;
        random_message(&rng, &everything_message, &arena, &in, 0);
        struct charle_bytes bytes = encode(&everything_message, &in, &once);
        read_ok(&everything_message, bytes, &arena, &out);
        assert_bytes_equal(encode(&everything_message, &out, &twice), bytes);
        assert_int_equal(in.need_int4, out.need_int4);
        assert_int_equal(in.a_sint8.has, out.a_sint8.has);
        assert_true(in.a_sint8.value == out.a_sint8.value);
        assert_int_equal(in.leaves.count, out.leaves.count);
        assert_true(charle_str_equal(in.need_text, out.need_text));
    }
    charle_buf_deinit(&once);
    charle_buf_deinit(&twice);
    charle_arena_deinit(&arena);
}

static void every_cut_is_an_error_or_a_shorter_message(void **state)
{
    (void)state;
    struct rng rng = {7};
    struct charle_buf buf = {0};
    struct charle_arena arena = {0};
    for (int i = 0; i < 50; i++) {
        charle_arena_reset(&arena);
        struct everything in = {0}, out;
        random_message(&rng, &everything_message, &arena, &in, 0);
        struct charle_bytes bytes = encode(&everything_message, &in, &buf);
        for (size_t len = 0; len < bytes.len; len++) {
            // A copy of exactly this size lets the sanitizer see a read past the end.
            uint8_t *copy = malloc(len + 1);
            memcpy(copy, bytes.ptr, len);
            copy = realloc(copy, len ? len : 1);
            struct charle_error err = {0};
            enum charle_err rc = charle_message_read(&everything_message, charle_bytes(copy, len), &arena, &out, &err);
            assert_true(rc == CHARLE_OK || rc == CHARLE_MALFORMED || rc == CHARLE_INVALID_ARGUMENT);
            assert_true(rc == CHARLE_OK || err.text[0]);
            free(copy);
        }
    }
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

static void damaged_bytes_never_crash_and_what_is_read_is_stable(void **state)
{
    (void)state;
    struct rng rng = {99};
    struct charle_buf buf = {0}, again = {0};
    struct charle_arena arena = {0};
    size_t accepted = 0;
    for (int i = 0; i < 20000; i++) {
        charle_arena_reset(&arena);
        struct everything in = {0}, out;
        random_message(&rng, &everything_message, &arena, &in, 2);
        struct charle_bytes bytes = encode(&everything_message, &in, &buf);
        size_t edits = 1 + rng_below(&rng, 3);
        for (size_t e = 0; e < edits; e++)
            buf.data[rng_below(&rng, bytes.len)] = (uint8_t)rng_next(&rng);
        if (charle_message_read(&everything_message, bytes, &arena, &out, NULL))
            continue;
        accepted++;
        charle_buf_reset(&again);
        struct everything second;
        encode(&everything_message, &out, &again);
        struct charle_buf third = {0};
        read_ok(&everything_message, charle_buf_bytes(&again), &arena, &second);
        assert_bytes_equal(encode(&everything_message, &second, &third), charle_buf_bytes(&again));
        charle_buf_deinit(&third);
    }
    assert_true(accepted > 1000); // otherwise the test looks at nothing
    charle_buf_deinit(&buf);
    charle_buf_deinit(&again);
    charle_arena_deinit(&arena);
}

static void known_bytes(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct leaf leaf = {.name = CHARLE_STR("testing"), .weight = {150, true}, .rank = -1};
    assert_bytes_equal(encode(&leaf_message, &leaf, &buf),
                       BYTES(0x0a, 7, 't', 'e', 's', 't', 'i', 'n', 'g', 0x10, 0x96, 1, 0x18, 0xff, 0xff, 0xff, 0xff,
                             0xff, 0xff, 0xff, 0xff, 0xff, 1));
    const uint32_t values[] = {3, 270, 86942};
    struct node node = {.values = {values, 3, true}};
    assert_bytes_equal(encode(&node_message, &node, &buf), BYTES(0x22, 6, 3, 0x8e, 2, 0x9e, 0xa7, 5));
    charle_buf_deinit(&buf);
}

static void long_sub_messages_get_long_lengths(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 100, 121, 122, 123, 127, 128, 16370, 16380, 16384, 300000};
    struct charle_arena arena = {0};
    struct charle_buf buf = {0};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *text = charle_arena_alloc(&arena, sizes[i] + 1);
        memset(text, 'x', sizes[i]);
        struct leaf leaf = {.name = charle_str_n(text, sizes[i]), .rank = 3};
        struct everything in = {.need_text = CHARLE_STR("t"), .need_leaf = &leaf, .a_bool = {true, true}}, out;
        read_ok(&everything_message, encode(&everything_message, &in, &buf), &arena, &out);
        assert_int_equal(out.need_leaf->name.len, sizes[i]);
        assert_int_equal(out.need_leaf->rank, 3);
        assert_true(out.a_bool.value);
    }
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

static void packed_and_loose_are_both_read(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct node node;
    // values = 1 (loose), [2, 300] (packed), 4 (loose), [] (packed)
    read_ok(&node_message, BYTES(0x20, 1, 0x22, 3, 2, 0xac, 2, 0x20, 4, 0x22, 0), &arena, &node);
    const uint32_t *values = node.values.items;
    assert_int_equal(node.values.count, 4);
    assert_int_equal(values[0], 1);
    assert_int_equal(values[1], 2);
    assert_int_equal(values[2], 300);
    assert_int_equal(values[3], 4);
    read_ok(&node_message, BYTES(0x22, 0), &arena, &node); // an empty packed field: there, with nothing in it
    assert_int_equal(node.values.count, 0);
    assert_true(node.values.has);
    read_ok(&node_message, BYTES(0x18, 1), &arena, &node);
    assert_false(node.values.has);
    assert_refused(&node_message, BYTES(0x22, 2, 1, 0x80), CHARLE_MALFORMED, "charle.test.Node.values is cut off");
    charle_arena_deinit(&arena);
}

static void an_empty_array_writes_nothing(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct node node = {.values = {NULL, 0, true}, .children = {NULL, 0, true}};
    assert_int_equal(encode(&node_message, &node, &buf).len, 0);
    charle_buf_deinit(&buf);
}

static void a_sub_message_in_pieces_is_merged(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct everything out;
    // need_leaf comes as {name} and {rank}, each incomplete; then a second rank wins.
    read_ok(&everything_message,
            BYTES(0x08, 5, 0x12, 1, 't', 0x1a, 3, 0x0a, 1, 'n', 0x1a, 2, 0x18, 9, 0x1a, 2, 0x18, 8), &arena, &out);
    assert_true(charle_str_equal(out.need_leaf->name, CHARLE_STR("n")));
    assert_int_equal(out.need_leaf->rank, 8);
    // Arrays of the pieces are put behind one another, at any depth.
    struct node node;
    read_ok(&node_message,
            BYTES(0x0a, 4, 0x22, 2, 1, 2, 0x0a, 2, 0x20, 3, 0x0a, 4, 0x0a, 2, 0x20, 7, 0x0a, 4, 0x0a, 2, 0x20, 8),
            &arena, &node);
    assert_int_equal(node.child->values.count, 3);
    assert_int_equal(((const uint32_t *)node.child->values.items)[2], 3);
    assert_int_equal(node.child->child->values.count, 2);
    // Elements of an array are not pieces of one another.
    assert_refused(
        &everything_message,
        BYTES(0x08, 5, 0x12, 1, 't', 0x1a, 5, 0x0a, 1, 'n', 0x18, 1, 0xaa, 2, 3, 0x0a, 1, 'n', 0xaa, 2, 2, 0x18, 1),
        CHARLE_INVALID_ARGUMENT, "charle.test.Leaf.rank is required and missing");
    charle_arena_deinit(&arena);
}

static void many_pieces_stay_linear(void **state)
{
    (void)state;
    enum { PIECES = 50000 };
    struct charle_buf buf = {0};
    struct charle_arena arena = {0};
    for (int i = 0; i < PIECES; i++)
        charle_buf_add(&buf, "\x0a\x02\x20\x05", 4); // child { values: 5 }
    struct node node;
    read_ok(&node_message, charle_buf_bytes(&buf), &arena, &node);
    assert_int_equal(node.child->values.count, PIECES);
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

static void the_last_scalar_wins(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct node node;
    read_ok(&node_message, BYTES(0x18, 1, 0x18, 2), &arena, &node);
    assert_int_equal(node.value.value, 2);
    charle_arena_deinit(&arena);
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct node node;
    read_ok(&node_message,
            BYTES(0x50, 0x96, 1, 0x51, 1, 2, 3, 4, 5, 6, 7, 8, 0x52, 3, 'a', 'b', 'c', 0x55, 1, 2, 3, 4, 0x18, 6),
            &arena, &node);
    assert_int_equal(node.value.value, 6);
    assert_refused(&node_message, BYTES(0x53, 0x54), CHARLE_MALFORMED, "charle.test.Node is malformed"); // a group
    assert_refused(&node_message, BYTES(0x00, 1), CHARLE_MALFORMED, "malformed");      // field number 0
    assert_refused(&node_message, BYTES(0x57, 1), CHARLE_MALFORMED, "malformed");      // wire type 7
    assert_refused(&node_message, BYTES(0x52, 9, 'a'), CHARLE_MALFORMED, "malformed"); // cut off
    assert_refused(&node_message, BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 1, 1), CHARLE_MALFORMED,
                   "malformed"); // number past 2^29
    assert_refused(&node_message, BYTES(0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1),
                   CHARLE_MALFORMED,
                   "charle.test.Node.value is cut off"); // a varint of eleven bytes
    charle_arena_deinit(&arena);
}

static void a_wrong_wire_type_names_the_field(void **state)
{
    (void)state;
    assert_refused(&leaf_message, BYTES(0x08, 1), CHARLE_MALFORMED, "charle.test.Leaf.name was sent with another type");
    assert_refused(&leaf_message, BYTES(0x12, 1, 'x'), CHARLE_MALFORMED,
                   "charle.test.Leaf.weight was sent with another type");
}

static void missing_required_fields_are_named(void **state)
{
    (void)state;
    assert_refused(&leaf_message, BYTES(0x18, 1), CHARLE_INVALID_ARGUMENT,
                   "charle.test.Leaf.name is required and missing");
    assert_refused(&everything_message, charle_bytes(NULL, 0), CHARLE_INVALID_ARGUMENT,
                   "charle.test.Everything.need_int4 is required and missing");
    assert_refused(&everything_message, BYTES(0x08, 1, 0x12, 0), CHARLE_INVALID_ARGUMENT,
                   "charle.test.Everything.need_leaf is required and missing");
    assert_refused(&everything_message, BYTES(0x08, 1, 0x12, 0, 0x1a, 2, 0x0a, 0), CHARLE_INVALID_ARGUMENT,
                   "charle.test.Leaf.rank is required and missing");
}

static void a_missing_required_sub_message_cannot_be_written(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct everything in = {.need_text = CHARLE_STR("t")};
    charle_message_write(&everything_message, &in, &buf);
    assert_int_equal(buf.failed, CHARLE_INVALID_ARGUMENT);
    charle_buf_deinit(&buf);
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool ok;
    } cases[] = {
        {"", 0, true},
        {"plain ascii of some length", 26, true},
        {"h\xc3\xa9", 3, true},
        {"\xe2\x82\xac", 3, true},
        {"\xf0\x9d\x84\x9e", 4, true},
        {"\xf4\x8f\xbf\xbf", 4, true},
        {"\xed\x9f\xbf", 3, true},
        {"\xee\x80\x80", 3, true},
        {"a\0b", 3, false},
        {"01234567\0", 9, false},
        {"0123456\0", 8, false},
        {"\xc3", 1, false},
        {"\x80", 1, false},
        {"\xc0\x80", 2, false},
        {"\xc1\xbf", 2, false},
        {"\xe0\x80\x80", 3, false},
        {"\xe0\x9f\xbf", 3, false},
        {"\xed\xa0\x80", 3, false},
        {"\xf0\x80\x80\x80", 4, false},
        {"\xf4\x90\x80\x80", 4, false},
        {"\xf5\x80\x80\x80", 4, false},
        {"\xff", 1, false},
        {"\xe2\x82", 2, false},
        {"\xe2\x28\xa1", 3, false},
        {"abcdefgh\xc3", 9, false},
        {"\x7f", 1, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (charle_utf8_is_valid(charle_str_n(cases[i].bytes, cases[i].len)) != cases[i].ok)
            fail_msg("case %zu", i);
    }
    assert_refused(&leaf_message, BYTES(0x0a, 2, 'a', 0, 0x18, 1), CHARLE_MALFORMED,
                   "charle.test.Leaf.name is not valid UTF-8");
}

static void values_with_a_form_of_their_own_are_checked(void **state)
{
    (void)state;
    assert_refused(&everything_message, BYTES(0x9a, 1, 1, 'x'), CHARLE_INVALID_ARGUMENT,
                   "a_numeric is not a decimal number");
    assert_refused(&everything_message, BYTES(0xa2, 1, 1, 'x'), CHARLE_INVALID_ARGUMENT, "a_uuid is not a UUID");
    assert_refused(&everything_message, BYTES(0xaa, 1, 1, 'x'), CHARLE_INVALID_ARGUMENT, "a_raw_uuid is not a UUID");
    assert_refused(&everything_message, BYTES(0xb2, 1, 1, '{'), CHARLE_INVALID_ARGUMENT, "a_json is not valid JSON");
    assert_refused(&everything_message, BYTES(0xe2, 0x12, 9, '1', '2', '3', '4', '5', '6', '7', '8', '9'),
                   CHARLE_INVALID_ARGUMENT, "short_text has 9 bytes; at most 8 are allowed");
}

static void numerics_arrive_in_canonical_form(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; // NULL: refused
    } cases[] = {
        {"0", "0"},         {"-0", "0"},
        {"0.00", "0"},      {"1.50", "1.5"},
        {"-12.5", "-12.5"}, {"+7", "7"},
        {"007", "7"},       {".5", "0.5"},
        {"5.", "5"},        {"1e3", "1000"},
        {"1.25e1", "12.5"}, {"12.5e-3", "0.0125"},
        {"-1E-2", "-0.01"}, {"100", "100"},
        {"0e9", "0"},       {"123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"},
        {"10.0e-1", "1"},   {"00.50", "0.5"},
        {"", NULL},         {"-", NULL},
        {".", NULL},        {"1e", NULL},
        {"1e9999", NULL},   {"1e123456", NULL},
        {"NaN", "NaN"},     {"1 ", NULL},
        {"-Infinity", "-Infinity"}, {"Infinity", "Infinity"},
        {"nan", NULL},      {"+Infinity", NULL},
        {"1,5", NULL},      {"0x1", NULL},
        {"--1", NULL},      {"1e-2000", NULL},
    };
    struct charle_arena arena = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct charle_numeric out;
        bool ok = charle_numeric_read(charle_str(cases[i].in), &arena, &out);
        if (ok != (cases[i].out != NULL) || (ok && !charle_str_equal(out.text, charle_str(cases[i].out))))
            fail_msg("%s became %.*s", cases[i].in, ok ? (int)out.text.len : 7, ok ? out.text.ptr : "refused");
        assert_int_equal(charle_numeric_is_canonical(charle_str(cases[i].in)),
                         ok && !strcmp(cases[i].in, cases[i].out));
    }
    charle_arena_deinit(&arena);
}

static void numerics_compare_by_value(void **state)
{
    (void)state;
    static const char *const ascending[] = {"-1000.5", "-1000", "-999.99", "-2",  "-0.5", "-0.25", "0",  "0.01",
                                            "0.1",     "0.11",  "1",       "1.5", "9",    "10",    "100"};
    for (size_t i = 0; i < sizeof(ascending) / sizeof(*ascending); i++) {
        for (size_t n = 0; n < sizeof(ascending) / sizeof(*ascending); n++) {
            int order = charle_numeric_compare((struct charle_numeric){charle_str(ascending[i])},
                                               (struct charle_numeric){charle_str(ascending[n])});
            assert_int_equal((order > 0) - (order < 0), (i > n) - (i < n));
        }
    }
}

static void uuids_have_one_form(void **state)
{
    (void)state;
    struct charle_uuid uuid;
    char text[CHARLE_UUID_TEXT_LEN + 1];
    assert_true(charle_uuid_read(CHARLE_STR("A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11"), &uuid));
    charle_uuid_write(uuid, text);
    assert_string_equal(text, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    assert_true(charle_uuid_read(CHARLE_STR("a0eebc999c0b4ef8bb6d6bb9bd380a11"), &uuid));
    assert_false(charle_uuid_read(CHARLE_STR("a0eebc999c0b4ef8bb6d6bb9bd380a1"), &uuid));
    assert_false(charle_uuid_read(CHARLE_STR("a0eebc99-9c0b-4ef8-bb6d_6bb9bd380a11"), &uuid));
    assert_false(charle_uuid_read(CHARLE_STR("g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), &uuid));
}

// child of child of child … `depth` messages in all
static void write_chain(struct charle_buf *buf, int depth)
{
    struct charle_buf inner = {0};
    for (int i = 1; i < depth; i++) {
        struct charle_buf outer = {0};
        charle_wire_write_bytes(&outer, 1, inner.data, inner.size);
        charle_buf_deinit(&inner);
        inner = outer;
    }
    charle_buf_add(buf, inner.data, inner.size);
    charle_buf_deinit(&inner);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    struct charle_buf buf = {0}, again = {0};
    struct charle_arena arena = {0};
    struct node node;
    write_chain(&buf, CH_MESSAGE_DEPTH_MAX);
    read_ok(&node_message, charle_buf_bytes(&buf), &arena, &node);
    encode(&node_message, &node, &again);
    charle_buf_reset(&buf);
    write_chain(&buf, CH_MESSAGE_DEPTH_MAX + 1);
    assert_refused(&node_message, charle_buf_bytes(&buf), CHARLE_TOO_LARGE,
                   "charle.test.Node.child is nested too deeply");
    charle_buf_reset(&buf);
    write_chain(&buf, 9000); // 34 KB: enough to end other decoders
    assert_refused(&node_message, charle_buf_bytes(&buf), CHARLE_TOO_LARGE, "nested too deeply");
    // A struct that is nested deeper (or refers to itself) does not hang the writer either.
    struct node loop = {0};
    loop.child = &loop;
    charle_buf_reset(&again);
    charle_message_write(&node_message, &loop, &again);
    assert_int_equal(again.failed, CHARLE_TOO_LARGE);
    charle_buf_deinit(&buf);
    charle_buf_deinit(&again);
    charle_arena_deinit(&arena);
}

static void tiny_sub_messages_cannot_fill_memory(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    for (int i = 0; i < 500000; i++)
        charle_buf_add(&buf, "\x12\x00", 2); // children {}
    assert_refused(&node_message, charle_buf_bytes(&buf), CHARLE_TOO_LARGE, "more than 32 times its size");
    charle_buf_deinit(&buf);
}

static void the_arena_is_the_other_bound(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    for (int i = 0; i < 2000; i++)
        charle_buf_add(&buf, "\x12\x02\x18\x01", 4);
    struct charle_arena arena;
    charle_arena_init(&arena, 64 << 10);
    struct node node;
    struct charle_error err = {0};
    assert_int_equal(charle_message_read(&node_message, charle_buf_bytes(&buf), &arena, &node, &err), CHARLE_TOO_LARGE);
    assert_non_null(strstr(err.text, "does not fit"));
    charle_arena_deinit(&arena);
    charle_buf_deinit(&buf);
}

static void a_full_heap_is_reported(void **state)
{
    (void)state;
    struct rng rng = {3};
    struct charle_arena arena = {0};
    struct charle_buf buf = {0};
    struct everything in = {0}, out;
    random_message(&rng, &everything_message, &arena, &in, 0);
    for (long n = 1;; n++) {
        struct charle_buf failing = {0};
        ch_alloc_fail_at(n, 1);
        charle_message_write(&everything_message, &in, &failing);
        ch_alloc_fail_at(0, 0);
        enum charle_err failed = failing.failed;
        charle_buf_deinit(&failing);
        if (!failed)
            break;
        assert_int_equal(failed, CHARLE_NO_MEMORY);
    }
    struct charle_bytes bytes = encode(&everything_message, &in, &buf);
    int failures = 0;
    for (long n = 1;; n++) {
        struct charle_arena scarce = {0};
        ch_alloc_fail_at(n, 1);
        enum charle_err rc = charle_message_read(&everything_message, bytes, &scarce, &out, NULL);
        ch_alloc_fail_at(0, 0);
        charle_arena_deinit(&scarce);
        if (!rc)
            break;
        failures++;
        assert_true(rc == CHARLE_TOO_LARGE || rc == CHARLE_INVALID_ARGUMENT);
    }
    assert_true(failures > 0);
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

static void a_full_buffer_is_remembered(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_buf whole = {0};
    struct everything in = {0};
    struct rng rng = {5};
    random_message(&rng, &everything_message, &arena, &in, 0);
    size_t size = encode(&everything_message, &in, &whole).len;
    for (size_t limit = 1; limit < size; limit += 1 + limit / 64) {
        struct charle_buf buf;
        charle_buf_init(&buf, limit);
        charle_message_write(&everything_message, &in, &buf);
        assert_int_equal(buf.failed, CHARLE_TOO_LARGE);
        assert_true(buf.size <= limit);
        charle_buf_deinit(&buf);
    }
    charle_buf_deinit(&whole);
    charle_arena_deinit(&arena);
}

static void lookups(void **state)
{
    (void)state;
    for (size_t i = 0; i < everything_message.field_count; i++) {
        const struct charle_field *field = &everything_message.fields[i];
        assert_ptr_equal(charle_message_field(&everything_message, field->number), field);
        assert_ptr_equal(charle_message_field_named(&everything_message, field->name), field);
    }
    static const uint32_t absent[] = {0, 26, 29, 40, 299, 301, 999, 1001, UINT32_MAX};
    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
        assert_null(charle_message_field(&everything_message, absent[i]));
    assert_null(charle_message_field_named(&everything_message, CHARLE_STR("need")));
    assert_string_equal(charle_enum_by_number(&color_enum, -3)->name.ptr, "below");
    assert_string_equal(charle_enum_by_number(&color_enum, 7)->name.ptr, "deep_blue");
    assert_null(charle_enum_by_number(&color_enum, 3));
    assert_int_equal(charle_enum_by_name(&color_enum, CHARLE_STR("red"))->number, 1);
    assert_null(charle_enum_by_name(&color_enum, CHARLE_STR("RED")));
}

static void types_have_names_and_sizes(void **state)
{
    static const struct {
        enum charle_type type;
        const char *name;
        size_t size;
    } types[] = {
        {CHARLE_TYPE_BOOL, "bool", 1},         {CHARLE_TYPE_INT4, "int4", 4},    {CHARLE_TYPE_INT8, "int8", 8},
        {CHARLE_TYPE_FLOAT8, "float8", 8},     {CHARLE_TYPE_TEXT, "text", 16},   {CHARLE_TYPE_BYTES, "bytes", 16},
        {CHARLE_TYPE_ENUM, "enum", 4},         {CHARLE_TYPE_DATE, "date", 4},    {CHARLE_TYPE_TIMESTAMPTZ, "timestamptz", 8},
        {CHARLE_TYPE_NUMERIC, "numeric", 16},  {CHARLE_TYPE_UUID, "uuid", 16},   {CHARLE_TYPE_JSONB, "jsonb", 16},
        {CHARLE_TYPE_MESSAGE, "message", 8},   {CHARLE_TYPE_UINT4, "uint4", 4},  {CHARLE_TYPE_UINT8, "uint8", 8},
        {CHARLE_TYPE_FLOAT4, "float4", 4},     {(enum charle_type)99, "unknown", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        assert_string_equal(charle_type_name(types[i].type), types[i].name);
        assert_int_equal(charle_type_size(types[i].type), types[i].size);
    }
}

static void raw_pieces(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct rng rng = {1};
    for (int i = 0; i < 1000; i++) {
        uint64_t value = rng_next(&rng) >> rng_below(&rng, 64);
        charle_buf_reset(&buf);
        charle_wire_write_tag(&buf, 5, 0);
        charle_wire_write_varint(&buf, value);
        assert_int_equal(buf.size, 1 + charle_wire_varint_size(value));
        struct charle_wire_reader reader = {buf.data, buf.data + buf.size};
        struct charle_wire_field field;
        assert_int_equal(charle_wire_next(&reader, &field), CHARLE_OK);
        assert_true(field.number == 5 && field.wire_type == 0 && field.value == value);
        assert_int_equal(charle_wire_next(&reader, &field), CHARLE_DONE);
        assert_true(charle_wire_unzigzag(charle_wire_zigzag((int64_t)value)) == (int64_t)value);
    }
    charle_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_messages_survive_the_wire),
        cmocka_unit_test(every_cut_is_an_error_or_a_shorter_message),
        cmocka_unit_test(damaged_bytes_never_crash_and_what_is_read_is_stable),
        cmocka_unit_test(known_bytes),
        cmocka_unit_test(long_sub_messages_get_long_lengths),
        cmocka_unit_test(packed_and_loose_are_both_read),
        cmocka_unit_test(an_empty_array_writes_nothing),
        cmocka_unit_test(a_sub_message_in_pieces_is_merged),
        cmocka_unit_test(many_pieces_stay_linear),
        cmocka_unit_test(the_last_scalar_wins),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(a_wrong_wire_type_names_the_field),
        cmocka_unit_test(missing_required_fields_are_named),
        cmocka_unit_test(a_missing_required_sub_message_cannot_be_written),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(values_with_a_form_of_their_own_are_checked),
        cmocka_unit_test(numerics_arrive_in_canonical_form),
        cmocka_unit_test(numerics_compare_by_value),
        cmocka_unit_test(uuids_have_one_form),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(tiny_sub_messages_cannot_fill_memory),
        cmocka_unit_test(the_arena_is_the_other_bound),
        cmocka_unit_test(a_full_heap_is_reported),
        cmocka_unit_test(a_full_buffer_is_remembered),
        cmocka_unit_test(lookups),
        cmocka_unit_test(types_have_names_and_sizes),
        cmocka_unit_test(raw_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
