#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE_MAX = 2048 };

static enum ch_log_level level_max = CH_LOG_INFO;
static enum ch_log_format line_format = CH_LOG_TEXT;
static int line_fd = 2;

static const char *const level_names[] = {
    [CH_LOG_ERROR] = "error", [CH_LOG_WARN] = "warn", [CH_LOG_INFO] = "info", [CH_LOG_DEBUG] = "debug"};

void ch_log_configure(enum ch_log_level level, enum ch_log_format format, int fd)
{
    level_max = level;
    line_format = format;
    line_fd = fd;
}

bool ch_log_level_read(const char *name, enum ch_log_level *out)
{
    for (int i = CH_LOG_ERROR; i <= (int)CH_LOG_DEBUG; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum ch_log_level)i;
            return true;
        }
    }
    return false;
}

// Escapes what could forge a second line or, in JSON, end the string. Returns the length written.
static size_t escape(char *out, size_t room, const char *text, bool json)
{
    size_t used = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c && used + 7 < room; c++) {
        if (*c < 0x20 || *c == 0x7f)
            used += (size_t)snprintf(out + used, room - used, "\\u%04x", *c);
        else if (json && (*c == '"' || *c == '\\'))
            used += (size_t)snprintf(out + used, room - used, "\\%c", *c);
        else
            out[used++] = (char)*c;
    }
    out[used] = '\0';
    return used;
}

void ch_log(enum ch_log_level level, const char *component, const char *format, ...)
{
    if (level > level_max)
        return;
    char message[LINE_SIZE_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    char escaped[LINE_SIZE_MAX - 128];
    escape(escaped, sizeof(escaped), message, line_format == CH_LOG_JSON);
    char when[CHARLE_TS_TEXT_SIZE];
    charle_ts_write(ch_clock_wall(), when);
    char line[LINE_SIZE_MAX];
    int len = line_format == CH_LOG_JSON
                  ? snprintf(line, sizeof(line), "{\"at\":\"%s\",\"level\":\"%s\",\"component\":\"%s\",\"message\":\"%s\"}\n",
                             when, level_names[level], component, escaped)
                  : snprintf(line, sizeof(line), "%s %-5s %s: %s\n", when, level_names[level], component, escaped);
    size_t size = (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1;
    // A log that cannot be written must not stop the program, and there is nobody to tell.
    ssize_t written = write(line_fd, line, size);
    (void)written;
}
