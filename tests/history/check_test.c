// The checker is given histories that cannot have happened, one for each class, and has to name it; and some that can.
#include "history/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { RECORDS_MAX = 64, WORDS_MAX = 64, TOTAL = 100 };

// A history under construction. Calls are named by process and count.
struct story {
    struct history_record records[RECORDS_MAX];
    uint64_t words[RECORDS_MAX][WORDS_MAX];
    int count;
    uint64_t reads;
};

static uint64_t item(int process, uint64_t count, int place)
{
    return history_item(history_op(process, count), place);
}

static struct history_record *add(struct story *story, enum history_kind kind, int process, uint64_t op)
{
    assert_true(story->count < RECORDS_MAX);
    struct history_record *record = &story->records[story->count];
    *record = (struct history_record){.kind = kind, .process = process, .op = op, .words = story->words[story->count], .at_us = story->count};
    story->count++;
    return record;
}

static void push(struct story *story, uint64_t word)
{
    struct history_record *record = &story->records[story->count - 1];
    assert_true(record->word_count < WORDS_MAX);
    story->words[story->count - 1][record->word_count++] = word;
}

// A call that appends to one or two chains (-1: one).
static void invoke(struct story *story, int process, uint64_t count, int first, int second)
{
    add(story, HISTORY_INVOKE, process, history_op(process, count));
    push(story, (uint64_t)first);
    push(story, item(process, count, 0));
    if (second >= 0) {
        push(story, (uint64_t)second);
        push(story, item(process, count, 1));
    }
}

static void ok(struct story *story, int process, uint64_t count)
{
    add(story, HISTORY_OK, process, history_op(process, count));
}

static void done(struct story *story, int process, uint64_t count, int first, int second)
{
    invoke(story, process, count, first, second);
    ok(story, process, count);
}

static void refused(struct story *story, int process, uint64_t count)
{
    add(story, HISTORY_FAIL, process, history_op(process, count));
}

static void read_total(struct story *story, int process, uint64_t total)
{
    add(story, HISTORY_READ, process, ++story->reads);
    push(story, total);
    push(story, 0);
}

static void reads(struct story *story, int process)
{
    read_total(story, process, TOTAL);
}

// The last read saw that call waiting.
static void waits(struct story *story, int process, uint64_t count)
{
    push(story, history_op(process, count));
    story->words[story->count - 1][1]++;
}

// The last read saw this in a chain; or, after final(), the server has it.
#define chain(story, number, ...)                                                                       \
    chain_of(story, number, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
static void chain_of(struct story *story, int number, const uint64_t *items, size_t count)
{
    push(story, (uint64_t)number);
    push(story, count);
    for (size_t i = 0; i < count; i++)
        push(story, items[i]);
}

#define final(story, number, ...)                                                                       \
    final_of(story, number, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
static void final_of(struct story *story, int number, const uint64_t *items, size_t count)
{
    add(story, HISTORY_FINAL, 0, 0);
    push(story, (uint64_t)number);
    for (size_t i = 0; i < count; i++)
        push(story, items[i]);
}

static void judge(const struct story *story, struct history_report *out)
{
    struct charle_error err;
    struct history_check *check = history_check_new(TOTAL);
    for (int i = 0; i < story->count; i++)
        assert_int_equal(history_check_learn(check, &story->records[i], &err), CHARLE_OK);
    history_check_end_learning(check);
    for (int i = 0; i < story->count; i++)
        assert_int_equal(history_check_walk(check, &story->records[i], &err), CHARLE_OK);
    history_check_judge(check, out);
    history_check_free(check);
}

// Exactly this class, with a sentence.
static void expect(const struct story *story, enum history_anomaly anomaly)
{
    struct history_report report;
    judge(story, &report);
    for (int i = 0; i < ANOMALIES; i++)
        if ((report.counts[i] != 0) != (i == (int)anomaly))
            fail_msg("%s was found %d times: %s", history_anomaly_name((enum history_anomaly)i), (int)report.counts[i], report.first[i]);
    if (anomaly != ANOMALIES)
        assert_true(strlen(report.first[anomaly]) > 10);
}

static void expect_nothing(const struct story *story)
{
    expect(story, ANOMALIES);
}

// --- histories that can have happened ---------------------------------------------------------------------------------------------

static void test_good_history(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, 6);
    reads(&story, 1);
    waits(&story, 1, 1);
    chain(&story, 5, item(1, 1, 0));
    chain(&story, 6, item(1, 1, 1));
    done(&story, 2, 1, 6, 5);
    reads(&story, 2);
    chain(&story, 5, item(1, 1, 0), item(2, 1, 1));
    chain(&story, 6, item(1, 1, 1), item(2, 1, 0));
    invoke(&story, 2, 2, 5, -1); // killed in it: never arrived
    invoke(&story, 2, 3, 5, -1); // killed in it: arrived
    reads(&story, 1);
    chain(&story, 5, item(1, 1, 0), item(2, 1, 1), item(2, 3, 0));
    done(&story, 1, 2, 6, -1);
    refused(&story, 1, 2);
    final(&story, 5, item(1, 1, 0), item(2, 1, 1), item(2, 3, 0));
    final(&story, 6, item(1, 1, 1), item(2, 1, 0));
    expect_nothing(&story);
}

static void test_waiting_call_of_no_effect(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    refused(&story, 1, 1);
    add(&story, HISTORY_READ, 1, 1);
    push(&story, TOTAL);
    push(&story, 1);
    push(&story, history_op(1, 1) | HISTORY_HIDDEN);
    push(&story, 5);
    push(&story, 0);
    expect_nothing(&story);
}

// A read of an older moment that shows own waiting calls behind it is none of a single moment only for who forgets that they wait.
static void test_own_waiting_call_over_an_old_moment(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, 6);
    done(&story, 2, 1, 5, -1);
    reads(&story, 1);
    waits(&story, 1, 1);
    chain(&story, 5, item(1, 1, 0));
    chain(&story, 6, item(1, 1, 1));
    final(&story, 5, item(2, 1, 0), item(1, 1, 0));
    final(&story, 6, item(1, 1, 1));
    expect_nothing(&story);
}

// --- one of each class ------------------------------------------------------------------------------------------------------------

static void test_lost(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    done(&story, 1, 2, 5, -1);
    final(&story, 5, item(1, 2, 0));
    expect(&story, ANOMALY_LOST);
}

static void test_duplicated(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    final(&story, 5, item(1, 1, 0), item(1, 1, 0));
    expect(&story, ANOMALY_DUPLICATED);
}

static void test_duplicated_in_a_read(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    reads(&story, 2);
    chain(&story, 5, item(1, 1, 0), item(1, 1, 0));
    final(&story, 5, item(1, 1, 0));
    expect(&story, ANOMALY_DUPLICATED);
}

static void test_unexpected(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    final(&story, 5, item(1, 1, 0), item(1, 9, 0));
    expect(&story, ANOMALY_UNEXPECTED);
}

static void test_unexpected_in_another_chain(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, 6);
    reads(&story, 2);
    chain(&story, 5, item(1, 1, 1));
    final(&story, 5, item(1, 1, 0));
    final(&story, 6, item(1, 1, 1));
    expect(&story, ANOMALY_UNEXPECTED);
}

static void test_partial(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, 6);
    final(&story, 5, item(1, 1, 0));
    expect(&story, ANOMALY_PARTIAL);
}

static void test_order(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    done(&story, 2, 1, 5, -1);
    reads(&story, 3);
    chain(&story, 5, item(2, 1, 0), item(1, 1, 0));
    final(&story, 5, item(1, 1, 0), item(2, 1, 0));
    expect(&story, ANOMALY_ORDER);
}

static void test_total(void **state)
{
    (void)state;
    struct story story = {0};
    read_total(&story, 1, TOTAL + 1);
    expect(&story, ANOMALY_TOTAL);
}

static void test_total_in_the_end(void **state)
{
    (void)state;
    struct story story = {0};
    add(&story, HISTORY_TOTAL, 0, 0);
    push(&story, TOTAL - 1);
    expect(&story, ANOMALY_TOTAL);
}

static void test_g0(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, 6);
    done(&story, 2, 1, 5, 6);
    final(&story, 5, item(1, 1, 0), item(2, 1, 0));
    final(&story, 6, item(2, 1, 1), item(1, 1, 1));
    expect(&story, ANOMALY_G0);
}

static void test_g1a_refused_call_in_the_end(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    refused(&story, 1, 1);
    final(&story, 5, item(1, 1, 0));
    expect(&story, ANOMALY_G1A);
}

static void test_g1a_read_of_what_vanished(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    invoke(&story, 2, 1, 5, -1);
    reads(&story, 3);
    chain(&story, 5, item(1, 1, 0), item(2, 1, 0));
    final(&story, 5, item(1, 1, 0));
    expect(&story, ANOMALY_G1A);
}

static void test_g1b(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, 5);
    reads(&story, 2);
    chain(&story, 5, item(1, 1, 0));
    final(&story, 5, item(1, 1, 0), item(1, 1, 1));
    // The read both shows the call and comes before it, so it is of no single moment either.
    struct history_report report;
    judge(&story, &report);
    assert_int_equal(report.counts[ANOMALY_G1B], 1);
    assert_true(report.counts[ANOMALY_G_SINGLE] == 1);
    assert_int_equal(history_report_anomalies(&report), 2);
}

// A process sees its own call before it makes it.
static void test_g1c_read_before_its_call(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 2, 1, 5, -1);
    reads(&story, 1);
    chain(&story, 5, item(2, 1, 0), item(1, 1, 0));
    done(&story, 1, 1, 5, -1);
    final(&story, 5, item(2, 1, 0), item(1, 1, 0));
    expect(&story, ANOMALY_G1C);
}

static void test_g_single(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, 6);
    reads(&story, 2);
    chain(&story, 5, item(1, 1, 0));
    chain_of(&story, 6, NULL, 0);
    final(&story, 5, item(1, 1, 0));
    final(&story, 6, item(1, 1, 1));
    expect(&story, ANOMALY_G_SINGLE);
}

static void test_g_single_over_two_calls(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 6, 7);
    done(&story, 2, 1, 5, 7);
    reads(&story, 3);
    chain(&story, 5, item(2, 1, 0));
    chain_of(&story, 6, NULL, 0);
    final(&story, 5, item(2, 1, 0));
    final(&story, 6, item(1, 1, 0));
    final(&story, 7, item(1, 1, 1), item(2, 1, 1));
    expect(&story, ANOMALY_G_SINGLE);
}

static void test_g2_long_fork(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    done(&story, 2, 1, 6, -1);
    reads(&story, 3);
    chain(&story, 5, item(1, 1, 0));
    chain_of(&story, 6, NULL, 0);
    reads(&story, 4);
    chain_of(&story, 5, NULL, 0);
    chain(&story, 6, item(2, 1, 0));
    final(&story, 5, item(1, 1, 0));
    final(&story, 6, item(2, 1, 0));
    expect(&story, ANOMALY_G2);
}

static void test_monotonic(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    reads(&story, 2);
    chain(&story, 5, item(1, 1, 0));
    reads(&story, 2);
    chain_of(&story, 5, NULL, 0);
    final(&story, 5, item(1, 1, 0));
    struct history_report report;
    judge(&story, &report);
    assert_int_equal(report.counts[ANOMALY_MONOTONIC], 1);
    assert_int_equal(report.counts[ANOMALY_CAUSAL], 1); // the same said as a circle
    assert_int_equal(history_report_anomalies(&report), 2);
}

static void test_own_confirmed(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    reads(&story, 1);
    chain_of(&story, 5, NULL, 0);
    final(&story, 5, item(1, 1, 0));
    struct history_report report;
    judge(&story, &report);
    assert_int_equal(report.counts[ANOMALY_OWN], 1);
    assert_int_equal(report.counts[ANOMALY_CAUSAL], 1);
    assert_int_equal(history_report_anomalies(&report), 2);
}

static void test_own_waiting(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    reads(&story, 1);
    waits(&story, 1, 1);
    chain_of(&story, 5, NULL, 0);
    final(&story, 5, item(1, 1, 0));
    expect(&story, ANOMALY_OWN);
}

static void test_session(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    done(&story, 1, 2, 5, -1);
    final(&story, 5, item(1, 2, 0), item(1, 1, 0));
    struct history_report report;
    judge(&story, &report);
    assert_int_equal(report.counts[ANOMALY_SESSION], 1);
    assert_int_equal(report.counts[ANOMALY_G1C], 1);
    assert_int_equal(history_report_anomalies(&report), 2);
}

// Process 2 saw the question and answered; process 3 sees the answer without the question.
static void test_causal_answer_without_question(void **state)
{
    (void)state;
    struct story story = {0};
    done(&story, 1, 1, 5, -1);
    reads(&story, 2);
    chain(&story, 5, item(1, 1, 0));
    done(&story, 2, 1, 6, -1);
    reads(&story, 3);
    chain_of(&story, 5, NULL, 0);
    chain(&story, 6, item(2, 1, 0));
    final(&story, 5, item(1, 1, 0));
    final(&story, 6, item(2, 1, 0));
    expect(&story, ANOMALY_CAUSAL);
}

// --- files --------------------------------------------------------------------------------------------------------------------------

static void test_file_keeps_records(void **state)
{
    (void)state;
    char path[] = "/tmp/charle-history-XXXXXX";
    struct charle_error err;
    struct history_writer *writer;
    struct history_reader *reader;
    struct history_record record;
    struct story story = {0};
    close(mkstemp(path));
    done(&story, 3, 7, 5, 6);
    reads(&story, 3);
    chain(&story, 5, item(3, 7, 0));
    assert_int_equal(history_writer_open(path, &writer, &err), CHARLE_OK);
    for (int i = 0; i < story.count; i++)
        assert_int_equal(history_write(writer, &story.records[i], &err), CHARLE_OK);
    history_writer_close(writer);
    // A writer that was killed in a record leaves a part of it.
    FILE *file = fopen(path, "ab");
    assert_int_equal(fwrite("\1\0\3\0\4", 1, 5, file), 5);
    fclose(file);
    // The next one writes behind the last whole record.
    assert_int_equal(history_writer_open(path, &writer, &err), CHARLE_OK);
    story.records[story.count] = story.records[0];
    story.records[story.count].at_us = story.count;
    assert_int_equal(history_write(writer, &story.records[story.count++], &err), CHARLE_OK);
    history_writer_close(writer);
    assert_int_equal(history_reader_open(path, &reader, &err), CHARLE_OK);
    for (int i = 0; i < story.count; i++) {
        assert_int_equal(history_read(reader, &record, &err), CHARLE_OK);
        assert_int_equal(record.kind, story.records[i].kind);
        assert_int_equal(record.process, story.records[i].process);
        assert_int_equal(record.op, story.records[i].op);
        assert_int_equal(record.at_us, i);
        assert_int_equal(record.word_count, story.records[i].word_count);
        assert_memory_equal(record.words, story.records[i].words, record.word_count * sizeof(uint64_t));
    }
    assert_int_equal(history_read(reader, &record, &err), CHARLE_DONE);
    history_reader_close(reader);
    unlink(path);
}

static void test_no_history(void **state)
{
    (void)state;
    struct charle_error err;
    struct history_reader *reader;
    assert_int_equal(history_reader_open("/dev/null", &reader, &err), CHARLE_MALFORMED);
    assert_non_null(strstr(err.text, "/dev/null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_history),
        cmocka_unit_test(test_waiting_call_of_no_effect),
        cmocka_unit_test(test_own_waiting_call_over_an_old_moment),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_duplicated),
        cmocka_unit_test(test_duplicated_in_a_read),
        cmocka_unit_test(test_unexpected),
        cmocka_unit_test(test_unexpected_in_another_chain),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_total),
        cmocka_unit_test(test_total_in_the_end),
        cmocka_unit_test(test_g0),
        cmocka_unit_test(test_g1a_refused_call_in_the_end),
        cmocka_unit_test(test_g1a_read_of_what_vanished),
        cmocka_unit_test(test_g1b),
        cmocka_unit_test(test_g1c_read_before_its_call),
        cmocka_unit_test(test_g_single),
        cmocka_unit_test(test_g_single_over_two_calls),
        cmocka_unit_test(test_g2_long_fork),
        cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_own_confirmed),
        cmocka_unit_test(test_own_waiting),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_causal_answer_without_question),
        cmocka_unit_test(test_file_keeps_records),
        cmocka_unit_test(test_no_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
