// Any bytes: reading never crashes, and what was read writes to bytes that read and write the same again.
#include "base/err.h"
#include "fuzz/fuzz.h"
#include "msg/wire.h"
#include "unit/msg/everything.h"

static void check(const struct charle_message *type, struct charle_bytes input)
{
    struct charle_arena arena = {0};
    struct charle_buf first = {0}, second = {0};
    struct charle_error err = {0};
    void *message = charle_arena_alloc(&arena, type->size);
    if (charle_message_read(type, input, &arena, message, &err)) {
        CHARLE_ASSERT(err.text[0]);
    } else {
        charle_message_write(type, message, &first);
        CHARLE_ASSERT(!first.failed);
        void *again = charle_arena_alloc(&arena, type->size);
        CHARLE_ASSERT(charle_message_read(type, charle_buf_bytes(&first), &arena, again, &err) == CHARLE_OK);
        charle_message_write(type, again, &second);
        CHARLE_ASSERT(first.size == second.size && (!first.size || memcmp(first.data, second.data, first.size) == 0));
    }
    charle_buf_deinit(&first);
    charle_buf_deinit(&second);
    charle_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(&everything_message, charle_bytes(data, size));
    check(&node_message, charle_bytes(data, size));
    return 0;
}
