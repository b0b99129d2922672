// What the benchmark programs share: samples and their median, the result's JSON object, a server of their own.
//
// A figure is measured several times, alternating with what it is compared with, because the machine's speed drifts; the median of
// each side and their ratio are printed. A benchmark never judges: targets are printed beside the ratio.
#ifndef CHARLE_BENCH_BENCH_H
#define CHARLE_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_RUNS = 5, BENCH_SAMPLES_MAX = 4096 };

struct bench_samples {
    double values[BENCH_SAMPLES_MAX];
    size_t count;
};
void bench_add(struct bench_samples *samples, double value); // ignores what does not fit
double bench_median(struct bench_samples *samples);          // sorts; NaN when empty
double bench_percentile(struct bench_samples *samples, double percent);

struct bench_result {
    const char *name;
    double value;
    const char *unit;
    const char *against; // what it is compared with
    double against_value;
    double ratio;        // in the sense of the target: larger is better, unless is_less
    double target;
    int is_less;         // the target is a bound from above
    const char *note;    // one sentence with further figures; NULL: none
};
// One line of JSON on stdout.
void bench_print(const struct bench_result *result);

// Says what is going on, on stderr.
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Prints the sentence and ends the program with code 1.
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

double bench_now(void);                 // seconds, monotonic
int64_t bench_rss_bytes(long pid);      // resident memory of a process, 0: this one
int64_t bench_rss_peak_bytes(long pid); // its high-water mark

#endif
