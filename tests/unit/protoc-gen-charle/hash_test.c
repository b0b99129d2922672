// The schema hash: what a replica and a server must agree on moves it, what concerns the server alone does not.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *plugin, *proto_dir, *out_dir;

// A schema in two files. %s: the options of the table, its columns, options of the column `title`.
static const char schema_file[] = "syntax = \"proto2\"; package h; import \"charle/options.proto\";\n"
                                  "option (charle.schema) = {name: \"h\" grant: {audience: \"team\" principal: \"task\" sql: \"select $1\"}};\n"
                                  "message Ask { optional int32 a = 1; %s }\n"
                                  "service Work { rpc Do(Ask) returns (Ask) { option (charle.method) = {offline: true writes: \"task\"}; } }\n";
static const char table_file[] = "syntax = \"proto2\"; package h; import \"charle/options.proto\";\n"
                                 "enum State { STATE_NEW = 1; STATE_DONE = 2; %s }\n"
                                 "message Task { option (charle.table) = {id: 1 audience: {name: \"team\"} %s};\n"
                                 "required string id = 1 [(charle.column).primary_key = true];\n"
                                 "required string title = 2 %s;\n"
                                 "optional State state = 3; %s }\n"
                                 "message Secret { option (charle.table).id = 2; required string id = 1 [(charle.column).primary_key = true]; %s }\n";

struct variant { // what stands at each %s
    const char *ask, *values, *table, *title, *columns, *secret;
    bool is_reversed; // the files in the other order
};

static void write_file(const char *name, const char *format, const char *const *parts)
{
    char path[1024];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", out_dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    for (const char *c = format; *c; c++)
        if (c[0] == '%' && c[1] == 's') {
            fputs(*parts ? *parts : "", file);
            parts++;
            c++;
        } else {
            fputc(*c, file);
        }
    fclose(file);
}

static uint64_t read_hash(void)
{
    char path[1024], line[1024];
    unsigned long long hash = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/h.tables.charle.c", out_dir);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        sscanf(line, " .hash = 0x%llx", &hash);
    fclose(file);
    assert_true(hash != 0);
    return hash;
}

static uint64_t hash_of(struct variant v)
{
    char command[4096];

    write_file("hash_schema.proto", schema_file, (const char *[]){v.ask});
    write_file("hash_table.proto", table_file, (const char *[]){v.values, v.table, v.title, v.columns, v.secret});
    snprintf(command, sizeof command,
             "protoc -I '%s' -I '%s' --plugin=protoc-gen-charle='%s' --charle_out='%s' --charle_opt=schema=h %s", out_dir, proto_dir,
             plugin, out_dir, v.is_reversed ? "hash_table.proto hash_schema.proto" : "hash_schema.proto hash_table.proto");
    assert_int_equal(system(command), 0);
    return read_hash();
}

static void test_stays_when_the_server_changes_alone(void **state)
{
    uint64_t hash = hash_of((struct variant){0});

    (void)state;
    assert_true(hash_of((struct variant){0}) == hash);
    assert_true(hash_of((struct variant){.is_reversed = true}) == hash);
    assert_true(hash_of((struct variant){.table = "index: {column: \"title\"} comment: \"Work\""}) == hash);
    assert_true(hash_of((struct variant){.title = "[(charle.column).check = {sql: \"title <> ''\"}]"}) == hash);
    assert_true(hash_of((struct variant){.secret = "optional string token = 2;"}) == hash);
}

static void test_moves_when_replica_and_server_would_differ(void **state)
{
    uint64_t hash = hash_of((struct variant){0});

    (void)state;
    assert_false(hash_of((struct variant){.columns = "optional int32 size = 4;"}) == hash);
    assert_false(hash_of((struct variant){.values = "STATE_LOST = 3;"}) == hash);
    assert_false(hash_of((struct variant){.table = "merge: SERVER"}) == hash);
    assert_false(hash_of((struct variant){.table = "write: {update: \"team\" offline: true}"}) == hash);
    assert_false(hash_of((struct variant){.title = "[(charle.column).merge = ONCE]"}) == hash);
    assert_false(hash_of((struct variant){.title = "[(charle.column).server_only = true]"}) == hash);
    assert_false(hash_of((struct variant){.ask = "optional string why = 2;"}) == hash);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stays_when_the_server_changes_alone),
        cmocka_unit_test(test_moves_when_replica_and_server_would_differ),
    };

    if (argc != 4) {
        fputs("usage: hash_test PLUGIN PROTO_DIR OUT_DIR\n", stderr);
        return 2;
    }
    plugin = argv[1];
    proto_dir = argv[2];
    out_dir = argv[3];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
