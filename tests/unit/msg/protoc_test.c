// The codec against protoc: the same random messages, written as text, become the same bytes; and protoc reads ours.
//
// Run with the folder of everything.proto as its argument. protoc is the only program it starts.
#include "msg/wire.h"
#include "unit/msg/everything.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MESSAGES_PER_RUN = 200, RUNS = 5 };

static const char *proto_dir;

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void read_file(const char *path, struct charle_buf *buf)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        charle_buf_add(buf, chunk, got);
    fclose(file);
    assert_int_equal(buf->failed, CHARLE_OK);
}

// Sends `in` through `protoc --<mode>=charle.test.Batch`.
static void run_protoc(const char *mode, struct charle_bytes in, struct charle_buf *out)
{
    char dir[] = "/tmp/charle-protoc-XXXXXX", from[64], to[64], command[1024];
    assert_non_null(mkdtemp(dir));
    snprintf(from, sizeof(from), "%s/in", dir);
    snprintf(to, sizeof(to), "%s/out", dir);
    write_file(from, in.ptr, in.len);
    snprintf(command, sizeof(command), "protoc -I '%s' --%s=charle.test.Batch everything.proto <%s >%s", proto_dir,
             mode, from, to);
    assert_int_equal(system(command), 0);
    read_file(to, out);
    unlink(from);
    unlink(to);
    rmdir(dir);
}

static void random_batch(struct rng *rng, struct charle_arena *arena, struct batch *out)
{
    const void **items = charle_arena_array(arena, MESSAGES_PER_RUN, sizeof(*items));
    for (int i = 0; i < MESSAGES_PER_RUN; i++) {
        void *item = charle_arena_alloc(arena, everything_message.size);
        random_message(rng, &everything_message, arena, item, 0);
        items[i] = item;
    }
    *out = (struct batch){{items, MESSAGES_PER_RUN, true}};
}

static void protoc_makes_the_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        struct rng rng = {seed};
        struct charle_arena arena = {0};
        struct charle_buf ours = {0}, text = {0}, theirs = {0}, read_back = {0};
        struct batch batch, out;
        random_batch(&rng, &arena, &batch);
        charle_message_write(&batch_message, &batch, &ours);
        write_text_format(&batch_message, &batch, &text);
        run_protoc("encode", charle_buf_bytes(&text), &theirs);
        assert_int_equal(ours.size, theirs.size);
        assert_memory_equal(ours.data, theirs.data, ours.size);
        // Their reader sees in our bytes what their writer made of the text.
        struct charle_buf decoded = {0}, encoded = {0};
        run_protoc("decode", charle_buf_bytes(&ours), &decoded);
        run_protoc("encode", charle_buf_bytes(&decoded), &encoded);
        assert_int_equal(encoded.size, ours.size);
        assert_memory_equal(encoded.data, ours.data, ours.size);
        // Our reader takes their bytes.
        struct charle_error err = {0};
        assert_int_equal(charle_message_read(&batch_message, charle_buf_bytes(&theirs), &arena, &out, &err), CHARLE_OK);
        charle_message_write(&batch_message, &out, &read_back);
        assert_memory_equal(read_back.data, theirs.data, theirs.size);
        struct charle_buf *bufs[] = {&ours, &text, &theirs, &read_back, &decoded, &encoded};
        for (size_t i = 0; i < sizeof(bufs) / sizeof(*bufs); i++)
            charle_buf_deinit(bufs[i]);
        charle_arena_deinit(&arena);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER-OF-everything.proto\n", argv[0]);
        return 2;
    }
    proto_dir = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(protoc_makes_the_same_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
