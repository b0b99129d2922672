// protoc-gen-charle: protoc's plugin that turns a schema into C and SQL.
//
// protoc starts it once with all files of a run: a request on stdin, a response on stdout. Errors of the schema go to
// stderr, one a line as file:line:column, and the response says how many there were, which makes protoc fail without
// writing a file.
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>

#define CH_RUN_SIZE_MAX     ((size_t)1 << 30) // the model and all its texts; a schema of 1,000 tables needs about 100 MiB
#define CH_REQUEST_SIZE_MAX ((size_t)256 << 20)

static const char not_protoc[] =
    "protoc-gen-charle: what came on stdin is no request of protoc; start it through protoc\n";

static bool read_stdin(struct charle_buf *request)
{
    uint8_t chunk[65536];
    size_t size;

    while ((size = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        charle_buf_add(request, chunk, size);
    return !ferror(stdin) && !request->failed;
}

// Errors are for people and editors, so they stand alone on stderr; protoc would put its own words before the first.
static void report_errors(struct ch_gen *gen, ChPlugin__Response *response)
{
    struct charle_buf text = {0};

    ch_diag_print(&gen->diag, &text);
    fwrite(text.data, 1, text.size, stderr);
    charle_buf_deinit(&text);
    response->error = (char *)(uintptr_t)ch_text(gen->run, "%zu error%s in the schema; nothing was generated",
                                                 gen->diag.count, gen->diag.count == 1 ? "" : "s");
}

static bool write_response(const ChPlugin__Response *response)
{
    size_t size = ch_plugin__response__get_packed_size(response);
    uint8_t *data = malloc(size ? size : 1);
    bool is_good = data != NULL;

    if (is_good) {
        ch_plugin__response__pack(response, data);
        is_good = fwrite(data, 1, size, stdout) == size && fflush(stdout) == 0;
    }
    free(data);
    return is_good;
}

static bool run(struct ch_gen *gen, const ChPlugin__Request *request)
{
    ChPlugin__Response response = CH_PLUGIN__RESPONSE__INIT;
    bool is_good = ch_generate(gen, request, &response);

    if (!is_good)
        fputs(not_protoc, stderr);
    else if (gen->diag.count)
        report_errors(gen, &response);
    if (is_good && !write_response(&response)) {
        fputs("protoc-gen-charle: the answer could not be written to stdout\n", stderr);
        is_good = false;
    }
    ch_generate_end(gen);
    return is_good;
}

int main(int argc, char **argv)
{
    struct charle_arena arena = {0};
    struct charle_buf bytes = {0};
    struct ch_gen gen = {.run = &arena, .diag = {.arena = &arena}};
    ChPlugin__Request *request = NULL;
    int status = 1;

    (void)argv;
    if (argc > 1) {
        fputs(
            "protoc-gen-charle is started by protoc: protoc --plugin=protoc-gen-charle --charle_out=DIR FILE.proto …\n",
            stderr);
        return 2;
    }
    charle_arena_init(&arena, CH_RUN_SIZE_MAX);
    charle_buf_init(&bytes, CH_REQUEST_SIZE_MAX);
    if (read_stdin(&bytes))
        request = ch_plugin__request__unpack(NULL, bytes.size, bytes.data);
    if (!request)
        fputs(not_protoc, stderr);
    else if (run(&gen, request))
        status = 0;
    if (request)
        ch_plugin__request__free_unpacked(request, NULL);
    charle_buf_deinit(&bytes);
    charle_arena_deinit(&arena);
    return status;
}
