#include "bench/common/bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void bench_add(struct bench_samples *samples, double value)
{
    if (samples->count < BENCH_SAMPLES_MAX)
        samples->values[samples->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double bench_percentile(struct bench_samples *samples, double percent)
{
    if (!samples->count)
        return NAN;
    qsort(samples->values, samples->count, sizeof(double), by_value);
    size_t index = (size_t)((double)(samples->count - 1) * percent / 100.0 + 0.5);
    return samples->values[index];
}

double bench_median(struct bench_samples *samples)
{
    return bench_percentile(samples, 50);
}

void bench_print(const struct bench_result *result)
{
    printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"against\": \"%s\", \"against_value\": %.6g, \"ratio\": %.4g, "
           "\"target\": %.6g, \"target_is\": \"%s\"",
           result->name, result->value, result->unit, result->against, result->against_value, result->ratio, result->target,
           result->is_less ? "at most" : "at least");
    if (result->note)
        printf(", \"note\": \"%s\"", result->note);
    printf("}\n");
    fflush(stdout);
}

void bench_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "  ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

_Noreturn void bench_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "error: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t status_kib(long pid, const char *field)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%ld/status", pid ? pid : (long)getpid());
    FILE *file = fopen(path, "r");
    long long kib = 0;
    size_t len = strlen(field);
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, field, len) == 0)
            kib = strtoll(line + len, NULL, 10);
    }
    if (file)
        fclose(file);
    return kib * 1024;
}

int64_t bench_rss_bytes(long pid)
{
    return status_kib(pid, "VmRSS:");
}

int64_t bench_rss_peak_bytes(long pid)
{
    return status_kib(pid, "VmHWM:");
}
