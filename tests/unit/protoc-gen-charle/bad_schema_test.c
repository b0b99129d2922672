// Wrong schemas: each file in bad/ must be refused with exactly the lines that its `// expect` comments say, in their
// order.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define CASES_MAX 256
#define TEXT_MAX  65536

static const char *plugin, *bad_dir, *proto_dir, *out_dir;

static void read_expected(const char *name, char out[TEXT_MAX])
{
    char path[1024], line[4096];
    size_t used = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", bad_dir, name);
    file = fopen(path, "r");
    assert_non_null(file);
    out[0] = '\0';
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "// expect ", 10) == 0)
            used += (size_t)snprintf(out + used, TEXT_MAX - used, "%s:%s", name, line + 10);
    fclose(file);
    assert_true(used > 0 && used < TEXT_MAX);
}

// Runs protoc on the file. Returns its exit status; out takes what it said about the file, without protoc's own
// warnings.
static int run_protoc(const char *name, char out[TEXT_MAX])
{
    char command[4096], line[4096];
    size_t used = 0;
    FILE *pipe;
    int status;

    snprintf(
        command, sizeof command,
        "protoc -I '%s' -I '%s' --plugin=protoc-gen-charle='%s' --charle_out='%s' --charle_opt=root='%s' '%s' 2>&1",
        bad_dir, proto_dir, plugin, out_dir, bad_dir, name);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    out[0] = '\0';
    while (fgets(line, sizeof line, pipe))
        if (!strstr(line, ": warning: ") && !strstr(line, "nothing was generated"))
            used += (size_t)snprintf(out + used, TEXT_MAX - used, "%s", line);
    status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_is_refused_as_expected(void **state)
{
    static char expected[TEXT_MAX], got[TEXT_MAX];
    const char *name = *state;

    read_expected(name, expected);
    assert_int_equal(run_protoc(name, got), 1);
    assert_string_equal(got, expected);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const struct CMUnitTest *)left)->name, ((const struct CMUnitTest *)right)->name);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[CASES_MAX];
    size_t count = 0;
    struct dirent *entry;
    DIR *dir;
    int failed;

    if (argc != 5) {
        fputs("usage: bad_schema_test PLUGIN BAD_DIR PROTO_DIR OUT_DIR\n", stderr);
        return 2;
    }
    plugin = argv[1];
    bad_dir = argv[2];
    proto_dir = argv[3];
    out_dir = argv[4];
    dir = opendir(bad_dir);
    if (!dir)
        return 2;
    while (count < CASES_MAX && (entry = readdir(dir)))
        if (strstr(entry->d_name, ".proto")) {
            char *name = strdup(entry->d_name);

            tests[count++] =
                (struct CMUnitTest){.name = name, .test_func = test_is_refused_as_expected, .initial_state = name};
        }
    closedir(dir);
    qsort(tests, count, sizeof *tests, compare_names);
    failed = _cmocka_run_group_tests("bad schemas", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free(tests[i].initial_state);
    return failed;
}
