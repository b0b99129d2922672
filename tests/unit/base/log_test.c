// Log lines: one event is one line, whatever the message holds.
#include "base/log.h"

#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

// What one call writes, read back from a pipe.
static const char *logged(enum ch_log_format format, enum ch_log_level level_max, enum ch_log_level level,
                          const char *message)
{
    static char line[4096];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    ch_log_configure(level_max, format, fds[1]);
    ch_log(level, "test", "%s", message);
    close(fds[1]);
    ssize_t size = read(fds[0], line, sizeof(line) - 1);
    close(fds[0]);
    ch_log_configure(CH_LOG_INFO, CH_LOG_TEXT, 2);
    line[size > 0 ? size : 0] = '\0';
    return line;
}

static void a_text_line(void **state)
{
    (void)state;
    const char *line = logged(CH_LOG_TEXT, CH_LOG_INFO, CH_LOG_WARN, "listening address=x");
    assert_string_equal(strchr(line, 'Z'), "Z warn  test: listening address=x\n");
}

static void a_json_line(void **state)
{
    (void)state;
    const char *line = logged(CH_LOG_JSON, CH_LOG_DEBUG, CH_LOG_DEBUG, "say \"x\\\"");
    assert_non_null(strstr(line, "\"level\":\"debug\",\"component\":\"test\",\"message\":\"say \\\"x\\\\\\\"\"}\n"));
}

static void a_message_cannot_forge_a_line(void **state)
{
    (void)state;
    const char *line = logged(CH_LOG_TEXT, CH_LOG_INFO, CH_LOG_INFO, "a\n2026 error b\x1b[31m\x7f");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_null(strchr(line, '\x1b'));
    assert_non_null(strstr(line, "a\\u000a2026 error b\\u001b[31m\\u007f"));
}

static void levels_are_kept(void **state)
{
    (void)state;
    assert_string_equal(logged(CH_LOG_TEXT, CH_LOG_WARN, CH_LOG_INFO, "quiet"), "");
    enum ch_log_level level;
    assert_true(ch_log_level_read("debug", &level));
    assert_int_equal(level, CH_LOG_DEBUG);
    assert_false(ch_log_level_read("loud", &level));
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    char message[5000];
    memset(message, '\n', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    const char *line = logged(CH_LOG_JSON, CH_LOG_INFO, CH_LOG_INFO, message);
    assert_true(strlen(line) <= 2048);
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line),
        cmocka_unit_test(a_json_line),
        cmocka_unit_test(a_message_cannot_forge_a_line),
        cmocka_unit_test(levels_are_kept),
        cmocka_unit_test(a_long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
