// Requests to the schema compiler: whatever comes, it refuses it or makes files of it, and never crashes. The corpus is what protoc sends
// for small schemas, without the places of its source_code_info, which make up most of the bytes.
#include "fuzz/fuzz.h"
#include "generate.h"

enum { RUN_SIZE_MAX = 256 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct charle_arena arena = {0};
    struct ch_gen gen = {.run = &arena, .diag = {.arena = &arena}};
    ChPlugin__Response response = CH_PLUGIN__RESPONSE__INIT;
    ChPlugin__Request *request = ch_plugin__request__unpack(NULL, size, data);

    if (!request)
        return 0;
    charle_arena_init(&arena, RUN_SIZE_MAX);
    (void)!ch_generate(&gen, request, &response);
    struct charle_buf text = {0};
    ch_diag_print(&gen.diag, &text);
    charle_buf_deinit(&text);
    ch_generate_end(&gen);
    ch_plugin__request__free_unpacked(request, NULL);
    charle_arena_deinit(&arena);
    return 0;
}
