// Frames: what is written is read back, the bytes are those of docs/wire.md, and nothing malformed gets through.
#include "base/limits.h"
#include "rpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct charle_bytes payload_of(const struct charle_buf *buf)
{
    return charle_bytes(buf->data + CH_FRAME_HEADER_SIZE, buf->size - CH_FRAME_HEADER_SIZE);
}

static struct ch_frame header_of(const struct charle_buf *buf)
{
    struct ch_frame frame;
    struct charle_error err;
    assert_int_equal(ch_frame_read_header(buf->data, &frame, &err), CHARLE_OK);
    assert_int_equal(frame.size, buf->size - CH_FRAME_HEADER_SIZE);
    return frame;
}

// The examples of docs/wire.md, byte for byte.
static void bytes_are_those_of_the_document(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    static const struct charle_metadata_entry entry = {CHARLE_STR_INIT("a"), CHARLE_STR_INIT("bc")};
    static const uint8_t call[] = {
        0x14, 0, 0, 0, 2, 6, 0, 0, 1,   0,   0,   0, // 20 bytes, CALL, BODY and END, stream 1
        0xe8, 3, 0, 0, 1, 0, 4, 1, 'E', 'c', 'h', 'o', 1, 2, 0, 'a', 'b', 'c', 'h', 'i'};
    struct ch_call_out named = {1000, 1, CHARLE_STR("Echo"), {&entry, 1}};
    ch_frame_write_call(&buf, 1, CH_FRAME_BODY | CH_FRAME_END, &named, charle_bytes("hi", 2));
    assert_int_equal(buf.size, sizeof(call));
    assert_memory_equal(buf.data, call, sizeof(call));
    charle_buf_reset(&buf);
    static const uint8_t reply[] = {2, 0, 0, 0, 3, 2, 0, 0, 1, 0, 0, 0, 'h', 'i'};
    ch_frame_write_message(&buf, 1, CH_FRAME_END, charle_bytes("hi", 2));
    assert_int_equal(buf.size, sizeof(reply));
    assert_memory_equal(buf.data, reply, sizeof(reply));
    charle_buf_reset(&buf);
    static const uint8_t status[] = {0x0e, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0,   33,
                                     0,    8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 'n', 'o'};
    ch_frame_write_status(&buf, 1, &(struct charle_status){.code = CHARLE_TOO_LARGE, .text = CHARLE_STR("no")});
    assert_int_equal(buf.size, sizeof(status));
    assert_memory_equal(buf.data, status, sizeof(status));
    charle_buf_deinit(&buf);
}

static void hello_is_read_back(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct ch_hello out, in = {1, CH_RPC_FRAME_SIZE_MAX, 1000, 256, 7, 5000};
    struct charle_error err;
    ch_frame_write_hello(&buf, &in);
    assert_int_equal(header_of(&buf).type, CH_FRAME_HELLO);
    assert_int_equal(ch_frame_read_hello(payload_of(&buf), &out, &err), CHARLE_OK);
    assert_int_equal(out.version, 1);
    assert_int_equal(out.message_size_max, 1000);
    assert_int_equal(out.stream_window, 256);
    assert_int_equal(out.calls_max, 7);
    assert_int_equal(out.heartbeat_ms, 5000);
    charle_buf_add(&buf, "later versions say more", 23);
    assert_int_equal(ch_frame_read_hello(payload_of(&buf), &out, &err), CHARLE_OK);
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(ch_frame_read_hello(charle_bytes(buf.data + CH_FRAME_HEADER_SIZE, i), &out, &err),
                         CHARLE_MALFORMED);
    memset(buf.data + CH_FRAME_HEADER_SIZE + 4, 0, 4); // frames of no bytes
    assert_int_equal(ch_frame_read_hello(payload_of(&buf), &out, &err), CHARLE_MALFORMED);
    charle_buf_deinit(&buf);
}

static void call_is_read_back_and_every_cut_refused(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    static const struct charle_metadata_entry entries[] = {
        {CHARLE_STR_INIT("authorization"), CHARLE_STR_INIT("Bearer x")},
        {CHARLE_STR_INIT("empty"), CHARLE_STR_INIT("")}};
    struct charle_metadata_entry out_entries[2];
    struct ch_call_head head;
    struct charle_bytes body;
    struct charle_error err;
    struct ch_call_out call = {UINT32_MAX, 0, CHARLE_STR("a.B/C"), {entries, 2}};
    ch_frame_write_call(&buf, 5, CH_FRAME_BODY | CH_FRAME_MORE, &call, charle_bytes("body", 4));
    struct ch_frame frame = header_of(&buf);
    assert_int_equal(frame.stream_id, 5);
    assert_int_equal(ch_frame_read_call(payload_of(&buf), frame.flags, &head, &body, &err), CHARLE_OK);
    assert_int_equal(head.timeout_ms, UINT32_MAX);
    assert_true(charle_str_equal(head.method, CHARLE_STR("a.B/C")));
    assert_int_equal(head.metadata.count, 2);
    ch_metadata_unpack(head.metadata, out_entries);
    assert_true(charle_str_equal(out_entries[0].value, CHARLE_STR("Bearer x")));
    assert_true(charle_str_equal(out_entries[1].key, CHARLE_STR("empty")));
    assert_int_equal(body.len, 4);
    assert_int_equal(ch_frame_read_call(payload_of(&buf), CH_FRAME_END, &head, &body, &err),
                     CHARLE_MALFORMED);           // a body, unannounced
    for (size_t i = 0; i < frame.size - 4; i++) { // a cut within the body is not seen here
        uint8_t *cut = malloc(i ? i : 1);         // exactly so long, for the sanitizer
        memcpy(cut, buf.data + CH_FRAME_HEADER_SIZE, i);
        assert_int_equal(ch_frame_read_call(charle_bytes(cut, i), frame.flags, &head, &body, &err), CHARLE_MALFORMED);
        free(cut);
    }
    charle_buf_deinit(&buf);
}

static void call_without_a_name_needs_a_number(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct ch_call_head head;
    struct charle_bytes body;
    struct charle_error err;
    static const struct {
        uint16_t number;
        struct charle_str name;
        enum charle_err rc;
    } cases[] = {
        {0, CHARLE_STR_INIT(""), CHARLE_MALFORMED},
        {1, CHARLE_STR_INIT(""), CHARLE_OK},
        {CH_RPC_METHODS_MAX, CHARLE_STR_INIT("m"), CHARLE_OK},
        {CH_RPC_METHODS_MAX + 1, CHARLE_STR_INIT("m"), CHARLE_MALFORMED},
        {0, CHARLE_STR_INIT("with space"), CHARLE_MALFORMED},
        {0, CHARLE_STR_INIT("with\nline"), CHARLE_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        charle_buf_reset(&buf);
        struct ch_call_out call = {.method_number = cases[i].number, .method = cases[i].name};
        ch_frame_write_call(&buf, 1, CH_FRAME_END, &call, (struct charle_bytes){0});
        assert_int_equal(ch_frame_read_call(payload_of(&buf), CH_FRAME_END, &head, &body, &err), cases[i].rc);
    }
    charle_buf_deinit(&buf);
}

static void metadata_limits_hold_on_both_sides(void **state)
{
    (void)state;
    struct charle_error err;
    char *large = calloc(1, CH_RPC_METADATA_SIZE_MAX);
    struct charle_metadata_entry entry = {CHARLE_STR("k"), charle_str_n(large, CH_RPC_METADATA_SIZE_MAX - 4)};
    struct charle_metadata one = {&entry, 1};
    assert_int_equal(ch_metadata_check(one, &err), CHARLE_OK);
    entry.value.len++;
    assert_int_equal(ch_metadata_check(one, &err), CHARLE_INVALID_ARGUMENT);
    static const struct charle_str bad_keys[] = {CHARLE_STR_INIT(""), CHARLE_STR_INIT("A"), CHARLE_STR_INIT("a b"),
                                                 CHARLE_STR_INIT("a:b"), CHARLE_STR_INIT("\xc3\xa4")};
    for (size_t i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
        entry = (struct charle_metadata_entry){bad_keys[i], CHARLE_STR("v")};
        assert_int_equal(ch_metadata_check(one, &err), CHARLE_INVALID_ARGUMENT);
        struct charle_buf buf = {0}; // a peer that does not check is checked
        struct ch_call_head head;
        struct charle_bytes body;
        struct ch_call_out call = {.method_number = 1, .metadata = one};
        ch_frame_write_call(&buf, 1, CH_FRAME_END, &call, (struct charle_bytes){0});
        assert_int_equal(ch_frame_read_call(payload_of(&buf), CH_FRAME_END, &head, &body, &err), CHARLE_MALFORMED);
        charle_buf_deinit(&buf);
    }
    free(large);
}

static void status_is_read_back_and_every_cut_refused(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    static const struct charle_metadata_entry entry = {CHARLE_STR_INIT("x-trace"), CHARLE_STR_INIT("7")};
    struct ch_status_head head;
    struct charle_error err;
    struct charle_status status = {
        CHARLE_UNIQUE_VIOLATION, CHARLE_STR("taken"), charle_bytes("details", 7), {&entry, 1}};
    ch_frame_write_status(&buf, 3, &status);
    assert_int_equal(ch_frame_read_status(payload_of(&buf), &head, &err), CHARLE_OK);
    assert_int_equal(head.code, CHARLE_UNIQUE_VIOLATION);
    assert_true(charle_str_equal(head.text, CHARLE_STR("taken")));
    assert_int_equal(head.details.len, 7);
    assert_int_equal(head.trailers.count, 1);
    for (size_t i = 0; i < buf.size - CH_FRAME_HEADER_SIZE; i++)
        assert_int_equal(ch_frame_read_status(charle_bytes(buf.data + CH_FRAME_HEADER_SIZE, i), &head, &err),
                         CHARLE_MALFORMED);
    charle_buf_add_byte(&buf, 0);
    assert_int_equal(ch_frame_read_status(payload_of(&buf), &head, &err), CHARLE_MALFORMED);
    charle_buf_deinit(&buf);
}

// A peer of a later version, or one that lies: the wire status decides.
static void unknown_codes_fall_back_to_the_status(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        uint8_t status;
        enum charle_err expected;
    } cases[] = {{999, 5, CHARLE_NOT_FOUND}, {0, 7, CHARLE_PERMISSION_DENIED}, {100, 2, CHARLE_UNKNOWN},
                 {5, 0, CHARLE_OK},          {39, 6, CHARLE_UNIQUE_VIOLATION}, {39, 7, CHARLE_PERMISSION_DENIED},
                 {999, 99, CHARLE_UNKNOWN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct charle_buf buf = {0};
        struct ch_status_head head;
        struct charle_error err;
        ch_frame_write_status(&buf, 1, &(struct charle_status){.code = CHARLE_INTERNAL});
        uint8_t *p = buf.data + CH_FRAME_HEADER_SIZE;
        p[0] = (uint8_t)cases[i].code;
        p[1] = (uint8_t)(cases[i].code >> 8);
        p[2] = cases[i].status;
        assert_int_equal(ch_frame_read_status(payload_of(&buf), &head, &err), CHARLE_OK);
        assert_int_equal(head.code, cases[i].expected);
        charle_buf_deinit(&buf);
    }
}

static void status_always_fits_a_frame(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct ch_status_head head;
    struct charle_error err;
    char *large = calloc(1, 1 << 20);
    memset(large, 'x', 1 << 20);
    struct charle_status status = {
        .code = CHARLE_INTERNAL, .text = charle_str_n(large, 1 << 20), .details = charle_bytes(large, 1 << 20)};
    ch_frame_write_status(&buf, 3, &status);
    assert_true(header_of(&buf).size <= CH_RPC_FRAME_SIZE_MAX);
    assert_int_equal(ch_frame_read_status(payload_of(&buf), &head, &err), CHARLE_OK);
    assert_int_equal(head.text.len, CH_RPC_STATUS_TEXT_MAX);
    assert_int_equal(head.details.len, 0);
    free(large);
    charle_buf_deinit(&buf);
}

static void small_frames_are_read_back(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    struct charle_error err;
    uint32_t size;
    uint64_t value;
    struct ch_goaway goaway;
    ch_frame_write_window(&buf, 9, 0x01020304);
    assert_int_equal(ch_frame_read_window(payload_of(&buf), &size, &err), CHARLE_OK);
    assert_int_equal(size, 0x01020304);
    assert_int_equal(ch_frame_read_window(charle_bytes(buf.data, 3), &size, &err), CHARLE_MALFORMED);
    charle_buf_reset(&buf);
    ch_frame_write_ping(&buf, CH_FRAME_PONG, 0x0102030405060708);
    assert_int_equal(header_of(&buf).type, CH_FRAME_PONG);
    assert_int_equal(ch_frame_read_ping(payload_of(&buf), &value, &err), CHARLE_OK);
    assert_true(value == 0x0102030405060708);
    charle_buf_reset(&buf);
    ch_frame_write_goaway(&buf, &(struct ch_goaway){CHARLE_UNAVAILABLE, 12, CHARLE_STR("bye")});
    assert_int_equal(ch_frame_read_goaway(payload_of(&buf), &goaway, &err), CHARLE_OK);
    assert_int_equal(goaway.code, CHARLE_UNAVAILABLE);
    assert_int_equal(goaway.last_stream_id, 12);
    assert_true(charle_str_equal(goaway.text, CHARLE_STR("bye")));
    charle_buf_deinit(&buf);
}

static void headers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct ch_frame frame;
    struct charle_error err;
    int good = 0;
    for (int type = 0; type < 16; type++) {
        for (int flags = 0; flags < 16; flags++) {
            for (int stream = 0; stream < 2; stream++) {
                uint8_t bytes[CH_FRAME_HEADER_SIZE] = {
                    0, 0, 0, 0, (uint8_t)type, (uint8_t)flags, 0, 0, (uint8_t)stream};
                err.text[0] = '\0';
                if (ch_frame_read_header(bytes, &frame, &err) == CHARLE_OK)
                    good++;
                else
                    assert_true(err.text[0]);
            }
        }
    }
    // HELLO, PING, PONG, GOAWAY without a stream; HALF_CLOSE, STATUS, CANCEL, WINDOW with one; MESSAGE with 3 sets of
    // flags; CALL with 5.
    assert_int_equal(good, 4 + 4 + 3 + 5);
}

static void full_buffer_never_holds_half_a_frame(void **state)
{
    (void)state;
    struct charle_buf buf = {.size_max = 40};
    ch_frame_write_message(&buf, 1, 0, charle_bytes("0123456789", 10));
    ch_frame_write_message(&buf, 1, 0, charle_bytes("0123456789", 10));
    assert_int_equal(buf.failed, CHARLE_TOO_LARGE);
    assert_int_equal(buf.size, CH_FRAME_HEADER_SIZE + 10);
    charle_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_the_document),
        cmocka_unit_test(hello_is_read_back),
        cmocka_unit_test(call_is_read_back_and_every_cut_refused),
        cmocka_unit_test(call_without_a_name_needs_a_number),
        cmocka_unit_test(metadata_limits_hold_on_both_sides),
        cmocka_unit_test(status_is_read_back_and_every_cut_refused),
        cmocka_unit_test(unknown_codes_fall_back_to_the_status),
        cmocka_unit_test(status_always_fits_a_frame),
        cmocka_unit_test(small_frames_are_read_back),
        cmocka_unit_test(headers_that_cannot_be_are_refused),
        cmocka_unit_test(full_buffer_never_holds_half_a_frame),
    };
    return cmocka_run_group_tests_name("rpc frames", tests, NULL, NULL);
}
