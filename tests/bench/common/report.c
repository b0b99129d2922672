// Writes docs/benchmarks.md from the JSON objects of the figures.
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void machine_line(FILE *to)
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
    char day[16];
    time_t now = time(NULL);
    strftime(day, sizeof(day), "%Y-%m-%d", gmtime(&now));
    fprintf(to, "Last written %s on %ld cores of %s, %s %s.\n\n", day, sysconf(_SC_NPROCESSORS_ONLN), model, name.sysname, name.release);
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
    fprintf(to, " | %.3g | %s %g | %s |", ratio, target_is ? target_is : "at least", target,
            (is_less ? ratio <= target : ratio >= target) ? "met" : "**missed**");
    const char *note = json_string_value(json_object_get(result, "note"));
    fprintf(to, " %s |\n", note ? note : "");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_report OUTPUT.md RESULT.json …\n");
        return 2;
    }
    FILE *to = fopen(argv[1], "w");
    if (!to) {
        perror(argv[1]);
        return 1;
    }
    fprintf(to, "# Benchmarks\n\nWritten by `tools/bench`; each figure is the median of at least 5 runs of a release build, beside its limit or peer\n"
                "in the same run. Ratios are what counts: absolute figures depend on the machine and on its neighbours.\n\n");
    machine_line(to);
    fprintf(to, "| figure | value | against | ratio | target | | note |\n|---|---|---|---|---|---|---|\n");
    int code = 0;
    for (int i = 2; i < argc; i++) {
        json_error_t error;
        json_t *result = json_load_file(argv[i], 0, &error);
        if (!result) {
            fprintf(stderr, "%s: %s\n", argv[i], error.text);
            code = 1;
            continue;
        }
        write_row(to, result);
        json_decref(result);
    }
    fprintf(to, "\nWhat each figure measures is said in the source beside it, in `tests/bench/`.\n");
    return fclose(to) == 0 ? code : 1;
}
