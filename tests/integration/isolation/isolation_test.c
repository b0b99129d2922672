// What concurrent transactions see and wait for, step by step: PostgreSQL's isolationtester runs the specs beside this file on the schema of
// stamps.proto, and what it prints must be what is in expected/.
//
//   isolation_test            runs all of them
//   isolation_test --write    writes expected/ anew, to be read before it is committed
#include "fixture.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define DATABASE "isolation"
#define OUTPUT_MAX (256 * 1024)

static struct ch_pg_cluster *cluster;
static bool is_writing;

static const char *const specs[] = {
    "one_scope", "free_scopes", "new_head", "sorted_heads", "early_raises", "deadlock", "snapshot", "one_snapshot",
    "late_commit", "serializable", "savepoints", "async_commit", "reset", "replicated_role", "prepared",
    "prepared_upkeep", "prepared_epoch", "epoch", "epoch_servers", "paths", "path_parents", "moved_rows",
    "deleted_under", "grants", "truncate", "truncate_pull", "copy_pull", "upkeep", "upkeep_push", "forget_twice",
    "thin_twice", "open_twice", "push_twice", "push_manners", "push_copies", "fold_timeout", "verdicts_acknowledged",
    "device_gone", "files", "upload_twice",
};

static int set_up(void **state)
{
    (void)state;
    static const char *const settings[] = {"max_prepared_transactions=4", "lc_messages=C", NULL};
    cluster = ch_pg_cluster_start(&(struct ch_pg_cluster_options){.settings = settings});
    if (!cluster)
        return -1;
    PQfinish(stamps_open(cluster, DATABASE));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ch_pg_cluster_stop(cluster);
    return 0;
}

static char *read_all(FILE *file)
{
    char *text = malloc(OUTPUT_MAX);
    assert_non_null(text);
    size_t size = fread(text, 1, OUTPUT_MAX - 1, file);
    assert_true(size < OUTPUT_MAX - 1);
    text[size] = 0;
    return text;
}

static char *run_spec(const char *name)
{
    char url[CH_PG_CLUSTER_URL_SIZE], command[CH_PG_CLUSTER_URL_SIZE + 1024];
    ch_pg_cluster_database_url(cluster, DATABASE, NULL, url);
    snprintf(command, sizeof(command), "PGISOLATIONTIMEOUT=30 '%s' '%s' < '%s/%s.spec' 2>&1", CHARLE_ISOLATIONTESTER,
             url, CHARLE_ISOLATION_SPECS, name);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char *output = read_all(pipe);
    int status = pclose(pipe);
    if (status)
        fail_msg("%s: isolationtester ended with status %d:\n%s", name, status, output);
    return output;
}

static void prints_what_is_expected(void **state)
{
    const char *name = *state;
    char path[1024];
    snprintf(path, sizeof(path), "%s/expected/%s.out", CHARLE_ISOLATION_SPECS, name);
    char *output = run_spec(name);
    FILE *file = fopen(path, is_writing ? "w" : "r");
    if (!file)
        fail_msg("cannot open %s: write it with isolation_test --write", path);
    if (is_writing) {
        assert_true(fputs(output, file) >= 0);
    } else {
        char *expected = read_all(file);
        if (strcmp(expected, output) != 0)
            fail_msg("%s: expected\n%s\nbut isolationtester printed\n%s", name, expected, output);
        free(expected);
    }
    assert_int_equal(fclose(file), 0);
    free(output);
}

int main(int argc, char **argv)
{
    is_writing = argc > 1 && !strcmp(argv[1], "--write");
    struct CMUnitTest tests[sizeof(specs) / sizeof(specs[0])];
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
        tests[i] = (struct CMUnitTest){
            .name = specs[i], .test_func = prints_what_is_expected, .initial_state = (void *)(uintptr_t)specs[i]};
    return _cmocka_run_group_tests("isolation", tests, sizeof(tests) / sizeof(tests[0]), set_up, tear_down);
}
