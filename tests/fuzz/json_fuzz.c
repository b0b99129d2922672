// Any text: reading never crashes; what was read writes to JSON that reads and writes the same again.
#include "base/err.h"
#include "fuzz/fuzz.h"
#include "msg/json.h"
#include "msg/json_text.h"
#include "unit/msg/everything.h"

static void check(const struct charle_message *type, struct charle_str input)
{
    struct charle_arena arena = {0};
    struct charle_buf json = {0}, second = {0};
    struct charle_error err = {0};
    void *message = charle_arena_alloc(&arena, type->size);
    if (charle_message_read_json(type, input, &arena, message, &err)) {
        CHARLE_ASSERT(err.text[0]);
    } else {
        charle_message_write_json(type, message, &json);
        CHARLE_ASSERT(!json.failed && ch_json_is_valid(charle_buf_str(&json)));
        void *again = charle_arena_alloc(&arena, type->size);
        CHARLE_ASSERT(charle_message_read_json(type, charle_buf_str(&json), &arena, again, &err) == CHARLE_OK);
        // Not the wire's bytes: line breaks between the tokens of a jsonb become blanks.
        charle_message_write_json(type, again, &second);
        CHARLE_ASSERT(json.size == second.size && memcmp(json.data, second.data, json.size) == 0);
    }
    charle_buf_deinit(&json);
    charle_buf_deinit(&second);
    charle_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct charle_str text = charle_str_n((const char *)data, size);
    ch_json_is_valid(text);
    check(&everything_message, text);
    check(&node_message, text);
    return 0;
}
