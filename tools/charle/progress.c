#include "output.h"

#include "base/clock.h"

#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, SHOW_EVERY_US = 100000, LINE_EVERY_US = 5000000 };

void progress_start(struct progress *progress, const char *what, bool quiet)
{
    *progress = (struct progress){
        .what = what, .started_us = ch_clock_mono_us(), .shown_us = ch_clock_mono_us(), .is_terminal = isatty(STDERR_FILENO) == 1, .is_quiet = quiet};
}

static void left_text(char *out, size_t size, int64_t elapsed_us, uint64_t done, uint64_t total)
{
    out[0] = '\0';
    if (!total || !done || done >= total || elapsed_us < 1000000)
        return;
    uint64_t seconds = (uint64_t)((double)elapsed_us / 1e6 * (double)(total - done) / (double)done);
    snprintf(out, size, ", about %llu s left", (unsigned long long)seconds);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *unit)
{
    int64_t now = ch_clock_mono_us();
    int64_t every = progress->is_terminal ? SHOW_EVERY_US : LINE_EVERY_US;
    if (progress->is_quiet || now - progress->shown_us < every)
        return;
    progress->shown_us = now;
    char left[64];
    left_text(left, sizeof(left), now - progress->started_us, done, total);
    if (!progress->is_terminal) {
        fprintf(stderr, "%s: %llu%s%s%s\n", progress->what, (unsigned long long)done, *unit ? " " : "", unit, left);
        return;
    }
    char bar[BAR_WIDTH + 1];
    size_t filled = total ? (size_t)((double)done / (double)total * BAR_WIDTH) : (size_t)(now / 200000) % BAR_WIDTH;
    filled = filled > BAR_WIDTH ? BAR_WIDTH : filled;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%s [%s] %llu %s%s", progress->what, bar, (unsigned long long)done, unit, left);
    progress->is_open = true;
}

void progress_end(struct progress *progress, const char *sentence)
{
    if (progress->is_open)
        fprintf(stderr, "\r\033[K");
    progress->is_open = false;
    if (sentence && !progress->is_quiet)
        fprintf(stderr, "%s\n", sentence);
}
