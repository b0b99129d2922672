// Puts the results of benchmark programs into docs/benchmarks.md.
//
// The page belongs to its readers: only two things in it are written here, the line that begins with "Last written" and the rows of the
// table that begins with "| figure |". A result replaces the row of its name, or becomes a new row; rows of figures that were not
// measured this time stay as they are, each with the day on which it was measured. Everything else in the page stays.
//
// The new page is written beside the old one and renamed, so a failure leaves the old one whole.
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { RESULTS_MAX = 128, LINE_MAX_BYTES = 4096 };

struct results {
    json_t *items[RESULTS_MAX];
    int is_written[RESULTS_MAX];
    int count;
};

static void write_today(FILE *to)
{
    char day[16];
    time_t now = time(NULL);
    strftime(day, sizeof(day), "%Y-%m-%d", gmtime(&now));
    fputs(day, to);
}

static void write_machine(FILE *to)
{
    char model[128] = "unknown processor", line[256];
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && fgets(line, sizeof(line), info)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon)
            snprintf(model, sizeof(model), "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    if (info)
        fclose(info);
    struct utsname name;
    uname(&name);
    fputs("Last written ", to);
    write_today(to);
    fprintf(to, " on %ld cores of %s, %s %s.\n", sysconf(_SC_NPROCESSORS_ONLN), model, name.sysname, name.release);
}

static void write_number(FILE *to, double value)
{
    if (value >= 1000)
        fprintf(to, "%.0f", value);
    else
        fprintf(to, "%.3g", value);
}

static void write_row(FILE *to, const json_t *result)
{
    const char *target_is = json_string_value(json_object_get(result, "target_is"));
    double ratio = json_number_value(json_object_get(result, "ratio")), target = json_number_value(json_object_get(result, "target"));
    int is_less = target_is && strcmp(target_is, "at most") == 0;
    fprintf(to, "| %s | ", json_string_value(json_object_get(result, "name")));
    write_number(to, json_number_value(json_object_get(result, "value")));
    fprintf(to, " %s | %s: ", json_string_value(json_object_get(result, "unit")), json_string_value(json_object_get(result, "against")));
    write_number(to, json_number_value(json_object_get(result, "against_value")));
    fprintf(to, " | %.3g | %s %g | %s | ", ratio, target_is ? target_is : "at least", target,
            (is_less ? ratio <= target : ratio >= target) ? "met" : "**missed**");
    write_today(to);
    const char *note = json_string_value(json_object_get(result, "note"));
    fprintf(to, " | %s |\n", note ? note : "");
}

// The result for the table row `line`, or -1.
static int find_result(const struct results *results, const char *line)
{
    for (int i = 0; i < results->count; i++) {
        const char *name = json_string_value(json_object_get(results->items[i], "name"));
        size_t length = strlen(name);
        if (strncmp(line, "| ", 2) == 0 && strncmp(line + 2, name, length) == 0 && strncmp(line + 2 + length, " |", 2) == 0)
            return i;
    }
    return -1;
}

static void write_new_rows(FILE *to, struct results *results)
{
    for (int i = 0; i < results->count; i++) {
        if (!results->is_written[i])
            write_row(to, results->items[i]);
        results->is_written[i] = 1;
    }
}

static void write_empty_page(FILE *to, struct results *results)
{
    fputs("# Benchmarks\n\nWritten by `tools/bench`; each figure is the median of at least 5 runs of a release build, beside its limit or peer\n"
          "in the same run. Ratios are what counts: absolute figures depend on the machine and on its neighbours.\n\n", to);
    write_machine(to);
    fputs("\n| figure | value | against | ratio | target | | measured | note |\n|---|---|---|---|---|---|---|---|\n", to);
    write_new_rows(to, results);
    fputs("\nWhat each figure measures is said in the source beside it, in `tests/bench/`.\n", to);
}

static void merge_page(FILE *from, FILE *to, struct results *results)
{
    char line[LINE_MAX_BYTES];
    int is_in_table = 0;
    while (fgets(line, sizeof(line), from)) {
        if (is_in_table && line[0] != '|') {
            write_new_rows(to, results);
            is_in_table = 0;
        }
        if (strncmp(line, "| figure |", 10) == 0)
            is_in_table = 1;
        int found = is_in_table ? find_result(results, line) : -1;
        if (found >= 0) {
            write_row(to, results->items[found]);
            results->is_written[found] = 1;
        } else if (strncmp(line, "Last written ", 13) == 0) {
            write_machine(to);
        } else {
            fputs(line, to);
        }
    }
    if (is_in_table)
        write_new_rows(to, results);
}

static int write_page(const char *path, struct results *results)
{
    char next[LINE_MAX_BYTES];
    if ((size_t)snprintf(next, sizeof(next), "%s.new", path) >= sizeof(next)) {
        fprintf(stderr, "%s: the path is too long\n", path);
        return 1;
    }
    FILE *to = fopen(next, "w"), *from = to ? fopen(path, "r") : NULL;
    if (!to) {
        perror(next);
        return 1;
    }
    if (from)
        merge_page(from, to, results);
    else
        write_empty_page(to, results);
    if (from)
        fclose(from);
    if (fclose(to) != 0 || rename(next, path) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc - 2 > RESULTS_MAX) {
        fprintf(stderr, "usage: bench_report OUTPUT.md RESULT.json …   (at most %d results)\n", RESULTS_MAX);
        return 2;
    }
    struct results results = {0};
    int code = 0;
    for (int i = 2; i < argc; i++) {
        json_error_t error;
        json_t *result = json_load_file(argv[i], 0, &error);
        if (!result || !json_is_string(json_object_get(result, "name"))) {
            fprintf(stderr, "%s: %s\n", argv[i], result ? "no result: \"name\" is missing" : error.text);
            json_decref(result);
            code = 1;
            continue;
        }
        results.items[results.count++] = result;
    }
    if (write_page(argv[1], &results))
        code = 1;
    for (int i = 0; i < results.count; i++)
        json_decref(results.items[i]);
    return code;
}
