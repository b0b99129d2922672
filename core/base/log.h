// Log lines for operators: one line an event, as text or JSON, on stderr or a file.
//
//   2026-11-22T12:41:00.123Z info  server: listening address=tcp://127.0.0.1:4317
//
// Call with a component, a plain sentence and key=value pairs in the same format string. Control characters are escaped. Never
// pass secrets. Thread-safe: a line is one write.
#ifndef CHARLE_BASE_LOG_H
#define CHARLE_BASE_LOG_H

#include "base/err.h"

enum ch_log_level { CH_LOG_ERROR, CH_LOG_WARN, CH_LOG_INFO, CH_LOG_DEBUG };
enum ch_log_format { CH_LOG_TEXT, CH_LOG_JSON };

// Once, before threads start. Defaults: info, text, stderr (fd 2).
void ch_log_configure(enum ch_log_level level, enum ch_log_format format, int fd);
bool ch_log_level_read(const char *name, enum ch_log_level *out); // "error", "warn", "info", "debug"
void ch_log(enum ch_log_level level, const char *component, const char *format, ...) CHARLE_PRINTF(3, 4);

#endif
