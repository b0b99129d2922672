// Every policy, every branch: a row of one column a policy, edited from a base while the stored row is something else.
#include "base/alloc.h"
#include "sync/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// --- a table of every policy -------------------------------------------------------------------------------

struct row { // as a patch: everything optional
    struct charle_opt_text id, lww, server, group_a, group_b, other_group, once, append, text, derived;
    struct charle_opt_enum fsm;
    struct charle_opt_int4 counter4;
    struct charle_opt_int8 counter8;
    struct charle_opt_float8 counter_real;
    struct charle_array set;
    struct charle_opt_text set_text;
    struct charle_opt_numeric numeric;
    struct charle_opt_json json;
    struct charle_opt_ts updated_at;
    struct charle_opt_bool text_bool;
};

static const struct charle_enum_value status_values[] = {{1, CHARLE_STR_INIT("todo")},
                                                         {2, CHARLE_STR_INIT("doing")},
                                                         {3, CHARLE_STR_INIT("done")},
                                                         {4, CHARLE_STR_INIT("archived")}};
static const struct charle_enum status = {"test.Status", status_values, 4};
static const struct charle_transition steps[] = {{1, 2}, {2, 3}, {2, 1}, {3, 4}};

enum {
    ID,
    LWW,
    SERVER,
    GROUP_A,
    GROUP_B,
    OTHER_GROUP,
    ONCE,
    APPEND,
    TEXT,
    DERIVED,
    FSM,
    COUNTER4,
    COUNTER8,
    COUNTER_REAL,
    SET,
    SET_TEXT,
    NUMERIC,
    JSON,
    UPDATED_AT,
    TEXT_BOOL,
    COLUMNS
};

#define FIELD(i, member, T, W)                     \
    [i] = {.number = (i) + 1,                      \
           .name = CHARLE_STR_INIT(#member),       \
           .type = CHARLE_TYPE_##T,                \
           .wire = CHARLE_WIRE_##W,                \
           .label = CHARLE_OPTIONAL,               \
           .offset = offsetof(struct row, member), \
           .has_offset = offsetof(struct row, member.has)}
static const struct charle_field fields[COLUMNS] = {
    FIELD(ID, id, TEXT, STRING),
    FIELD(LWW, lww, TEXT, STRING),
    FIELD(SERVER, server, TEXT, STRING),
    FIELD(GROUP_A, group_a, TEXT, STRING),
    FIELD(GROUP_B, group_b, TEXT, STRING),
    FIELD(OTHER_GROUP, other_group, TEXT, STRING),
    FIELD(ONCE, once, TEXT, STRING),
    FIELD(APPEND, append, TEXT, STRING),
    FIELD(TEXT, text, TEXT, STRING),
    FIELD(DERIVED, derived, TEXT, STRING),
    [FSM] = {.number = FSM + 1,
             .name = CHARLE_STR_INIT("fsm"),
             .type = CHARLE_TYPE_ENUM,
             .wire = CHARLE_WIRE_ENUM,
             .label = CHARLE_OPTIONAL,
             .offset = offsetof(struct row, fsm),
             .has_offset = offsetof(struct row, fsm.has),
             .enumeration = &status},
    FIELD(COUNTER4, counter4, INT4, INT32),
    FIELD(COUNTER8, counter8, INT8, INT64),
    FIELD(COUNTER_REAL, counter_real, FLOAT8, DOUBLE),
    [SET] = {.number = SET + 1,
             .name = CHARLE_STR_INIT("set"),
             .type = CHARLE_TYPE_TEXT,
             .wire = CHARLE_WIRE_STRING,
             .label = CHARLE_REPEATED,
             .offset = offsetof(struct row, set),
             .has_offset = offsetof(struct row, set.has)},
    FIELD(SET_TEXT, set_text, TEXT, STRING),
    FIELD(NUMERIC, numeric, NUMERIC, STRING),
    FIELD(JSON, json, JSONB, STRING),
    FIELD(UPDATED_AT, updated_at, TIMESTAMPTZ, SFIXED64),
    FIELD(TEXT_BOOL, text_bool, BOOL, BOOL),
};
static const struct charle_message row_message = {"test.Row", sizeof(struct row), fields, COLUMNS};

#define COLUMN(i, member, policy, ...)       \
    [i] = {.name = CHARLE_STR_INIT(#member), \
           .field = &fields[i],              \
           .is_nullable = true,              \
           .merge = CHARLE_MERGE_##policy,   \
           .index = i,                       \
           ##__VA_ARGS__}
static const struct charle_column columns[COLUMNS] = {
    COLUMN(ID, id, LWW),
    COLUMN(LWW, lww, LWW),
    COLUMN(SERVER, server, SERVER),
    COLUMN(GROUP_A, group_a, GROUP, .merge_group = 1),
    COLUMN(GROUP_B, group_b, GROUP, .merge_group = 1),
    COLUMN(OTHER_GROUP, other_group, GROUP, .merge_group = 2),
    COLUMN(ONCE, once, ONCE),
    COLUMN(APPEND, append, APPEND),
    COLUMN(TEXT, text, TEXT),
    COLUMN(DERIVED, derived, DERIVED),
    COLUMN(FSM, fsm, FSM, .transitions = steps, .transition_count = 4),
    COLUMN(COUNTER4, counter4, COUNTER),
    COLUMN(COUNTER8, counter8, COUNTER),
    COLUMN(COUNTER_REAL, counter_real, COUNTER),
    COLUMN(SET, set, SET, .is_array = true),
    COLUMN(SET_TEXT, set_text, SET),
    COLUMN(NUMERIC, numeric, SERVER),
    COLUMN(JSON, json, SERVER),
    COLUMN(UPDATED_AT, updated_at, SERVER, .generate = CHARLE_GENERATE_UPDATED),
    COLUMN(TEXT_BOOL, text_bool, TEXT),
};
static const struct charle_table table = {.id = 1,
                                          .name = CHARLE_STR_INIT("thing"),
                                          .row = &row_message,
                                          .patch = &row_message,
                                          .columns = columns,
                                          .column_count = COLUMNS};

// --- helpers -----------------------------------------------------------------------------------------------

#define T(literal)                \
    {                             \
        CHARLE_STR(literal), true \
    }
#define I(number)    \
    {                \
        number, true \
    }

struct scene {
    struct charle_arena arena;
    struct ch_merge merge;
    struct charle_error err;
};

static enum charle_err run(struct scene *scene, const struct row *base, const struct row *stored,
                           const struct row *wanted, int first, int second)
{
    *scene = (struct scene){
        .merge = {.table = &table, .arena = &scene->arena, .base = base, .stored = stored, .wanted = wanted}};
    charle_column_set_add(&scene->merge.mask, (size_t)first);
    if (second >= 0)
        charle_column_set_add(&scene->merge.mask, (size_t)second);
    return ch_merge_update(&scene->merge, &scene->err);
}

static void end(struct scene *scene)
{
    charle_arena_deinit(&scene->arena);
}

static const struct row *merged(const struct scene *scene)
{
    return scene->merge.merged;
}

static bool changed(const struct scene *scene, int column)
{
    return charle_column_set_has(&scene->merge.changed, (size_t)column);
}

static void assert_note(const struct scene *scene, const char *words)
{
    if (!*words)
        assert_int_equal(scene->merge.note.len, 0);
    else if (!scene->merge.note.ptr || !strstr(scene->merge.note.ptr, words))
        fail_msg("expected \"%s\" in \"%.*s\"", words, CHARLE_FMT(scene->merge.note));
}

static void assert_words(const struct scene *scene, const char *words)
{
    if (!strstr(scene->err.text, words))
        fail_msg("expected \"%s\" in \"%s\"", words, scene->err.text);
}

// One text column: what it becomes (NULL: it is not written) and what the note says.
static void assert_text(int column, const struct row *base, const struct row *stored, const struct row *wanted,
                        const char *result, const char *note)
{
    struct scene s;
    enum charle_err rc = run(&s, base, stored, wanted, column, -1);
    if (rc)
        fail_msg("refused: %s", s.err.text);
    assert_int_equal(changed(&s, column), result != NULL);
    const struct charle_opt_text *value = charle_field_ptr(&fields[column], merged(&s));
    if (result && !charle_str_equal(value->value, charle_str(result)))
        fail_msg("became \"%.*s\"", CHARLE_FMT(value->value));
    assert_note(&s, note);
    end(&s);
}

static void assert_refused(int column, const struct row *base, const struct row *stored, const struct row *wanted,
                           enum charle_err code, const char *words)
{
    struct scene s;
    assert_int_equal(run(&s, base, stored, wanted, column, -1), code);
    assert_words(&s, words);
    end(&s);
}

// --- policies ----------------------------------------------------------------------------------------------

static void lww(void **state)
{
    (void)state;
    const struct row a = {.lww = T("a")}, b = {.lww = T("b")}, c = {.lww = T("c")}, none = {0};
    assert_text(LWW, &a, &a, &b, "b", "");
    assert_text(LWW, NULL, &a, &b, "b", "");
    assert_text(LWW, &a, &b, &b, NULL, ""); // the same change by both
    assert_text(LWW, &a, &b, &c, "c", "lww had been changed to \"b\" meanwhile; it is \"c\" now");
    assert_text(LWW, &a, &none, &c, "c", "changed to null meanwhile");
    assert_text(LWW, &none, &none, &none, NULL, "");
    struct scene s;
    assert_int_equal(run(&s, &a, &a, &none, LWW, -1), CHARLE_OK); // to null
    assert_true(changed(&s, LWW));
    assert_false(merged(&s)->lww.has);
    end(&s);
}

static void server(void **state)
{
    (void)state;
    const struct row a = {.server = T("a")}, b = {.server = T("b")}, c = {.server = T("c")};
    assert_text(SERVER, &a, &a, &b, "b", "");
    assert_text(SERVER, NULL, &a, &b, "b", "");
    assert_text(SERVER, &a, &b, &b, NULL, "");
    assert_refused(
        SERVER, &a, &b, &c, CHARLE_CONFLICT,
        "server of this thing was changed by someone else meanwhile: it is \"b\" now; look at it and change it again");
}

static void group(void **state)
{
    (void)state;
    const struct row base = {.group_a = T("a"), .group_b = T("b"), .other_group = T("o")},
                     moved_b = {.group_a = T("a"), .group_b = T("B"), .other_group = T("o")},
                     moved_other = {.group_a = T("a"), .group_b = T("b"), .other_group = T("O")},
                     only_a = {.group_a = T("a")}, want = {.group_a = T("x"), .group_b = T("y")},
                     same_b = {.group_a = T("x"), .group_b = T("B")};
    assert_text(GROUP_A, &base, &base, &want, "x", "");
    assert_text(GROUP_A, NULL, &moved_b, &want, "x", "");
    assert_text(GROUP_A, &base, &moved_other, &want, "x", ""); // another group does not count
    assert_refused(GROUP_A, &base, &moved_b, &want, CHARLE_CONFLICT,
                   "group_b of this thing was changed by someone else");
    assert_text(GROUP_A, &only_a, &moved_b, &want, "x", ""); // the base says nothing about the other column
    struct scene s;
    assert_int_equal(run(&s, &base, &base, &want, GROUP_A, GROUP_B), CHARLE_OK);
    assert_true(changed(&s, GROUP_A) && changed(&s, GROUP_B));
    end(&s);
    assert_int_equal(run(&s, &base, &moved_b, &same_b, GROUP_A, GROUP_B),
                     CHARLE_OK); // the other made one half of the same change
    assert_true(changed(&s, GROUP_A) && !changed(&s, GROUP_B));
    end(&s);
    assert_int_equal(run(&s, &base, &moved_b, &want, GROUP_A, GROUP_B), CHARLE_CONFLICT);
    end(&s);
    struct charle_column_set mask = {{0, 0}}, needs;
    charle_column_set_add(&mask, GROUP_A);
    charle_column_set_add(&mask, LWW);
    needs = ch_merge_needs(&table, &mask);
    assert_true(charle_column_set_has(&needs, GROUP_B) && charle_column_set_has(&needs, LWW));
    assert_int_equal(charle_column_set_count(&needs), 3);
}

static void fsm(void **state)
{
    (void)state;
    const struct row todo = {.fsm = I(1)}, doing = {.fsm = I(2)}, done = {.fsm = I(3)}, archived = {.fsm = I(4)},
                     none = {0};
    struct scene s;
    assert_int_equal(run(&s, &todo, &todo, &doing, FSM, -1), CHARLE_OK);
    assert_int_equal(merged(&s)->fsm.value, 2);
    assert_note(&s, "");
    end(&s);
    assert_int_equal(run(&s, &todo, &doing, &doing, FSM, -1), CHARLE_OK); // a repeat
    assert_false(changed(&s, FSM));
    end(&s);
    assert_int_equal(run(&s, &todo, &doing, &done, FSM, -1), CHARLE_OK); // legal from where it is now
    assert_note(&s, "fsm had gone to \"doing\" meanwhile; from there it went to \"done\"");
    end(&s);
    assert_int_equal(run(&s, NULL, &none, &done, FSM, -1), CHARLE_OK); // a first status
    end(&s);
    assert_refused(FSM, &todo, &todo, &done, CHARLE_FAILED_PRECONDITION,
                   "fsm of this thing cannot go from \"todo\" to \"done\"; from there it may go to doing");
    assert_refused(FSM, NULL, &doing, &archived, CHARLE_FAILED_PRECONDITION, "it may go to done, todo");
    assert_refused(FSM, NULL, &archived, &todo, CHARLE_FAILED_PRECONDITION, "it may go to nothing else");
    assert_refused(FSM, NULL, &todo, &none, CHARLE_FAILED_PRECONDITION, "cannot go from \"todo\" to null");
    const struct row forgotten = {.fsm = {2, false}}; // null, whatever number is left in it
    assert_refused(FSM, NULL, &todo, &forgotten, CHARLE_FAILED_PRECONDITION, "cannot go from \"todo\" to null");
}

// More steps than a sentence has room for: it says some, and ends.
static void many_steps_are_cut(void **state)
{
    (void)state;
    enum { STATES = 12 };
    struct charle_enum_value values[STATES + 1];
    struct charle_transition many[STATES];
    char names[STATES + 1][32];
    for (int i = 0; i <= STATES; i++) {
        snprintf(names[i], sizeof(names[i]), "a_state_with_a_name_%d", i);
        values[i] = (struct charle_enum_value){i + 1, charle_str(names[i])};
        if (i < STATES)
            many[i] = (struct charle_transition){1, i + 2};
    }
    const struct charle_enum wide = {"test.Wide", values, STATES + 1};
    struct charle_field wide_fields[COLUMNS];
    struct charle_column wide_columns[COLUMNS];
    memcpy(wide_fields, fields, sizeof(fields));
    memcpy(wide_columns, columns, sizeof(columns));
    wide_fields[FSM].enumeration = &wide;
    wide_columns[FSM].field = &wide_fields[FSM];
    wide_columns[FSM].transitions = many;
    wide_columns[FSM].transition_count = STATES;
    struct charle_message wide_message = row_message;
    wide_message.fields = wide_fields;
    struct charle_table wide_table = table;
    wide_table.patch = &wide_message;
    wide_table.columns = wide_columns;
    const struct row one = {.fsm = I(1)}, same = {.fsm = I(99)};
    struct scene s = {.merge = {.table = &wide_table, .arena = &s.arena, .stored = &one, .wanted = &same}};
    charle_column_set_add(&s.merge.mask, FSM);
    assert_int_equal(ch_merge_update(&s.merge, &s.err), CHARLE_FAILED_PRECONDITION);
    assert_words(&s, "it may go to a_state_with_a_name_1, a_state_with_a_name_2, a_state");
    end(&s);
}

static void counters(void **state)
{
    (void)state;
    const struct row five = {.counter4 = I(5), .counter8 = I(5), .counter_real = I(5)},
                     six = {.counter4 = I(6), .counter8 = I(6), .counter_real = I(6)},
                     ten = {.counter4 = I(10), .counter8 = I(10), .counter_real = I(10)}, none = {0},
                     most = {.counter4 = I(INT32_MAX), .counter8 = I(INT64_MAX)},
                     least = {.counter4 = I(INT32_MIN), .counter8 = I(INT64_MIN)};
    struct scene s;
    assert_int_equal(run(&s, &five, &five, &six, COUNTER4, COUNTER8), CHARLE_OK);
    assert_int_equal(merged(&s)->counter4.value, 6);
    assert_note(&s, "");
    end(&s);
    assert_int_equal(run(&s, NULL, &five, &ten, COUNTER4, -1), CHARLE_OK);
    assert_int_equal(merged(&s)->counter4.value, 10);
    end(&s);
    assert_int_equal(run(&s, &five, &five, &five, COUNTER4, -1), CHARLE_OK);
    assert_false(changed(&s, COUNTER4));
    end(&s);
    assert_int_equal(run(&s, &five, &ten, &six, COUNTER4, COUNTER8), CHARLE_OK); // one more, from ten
    assert_int_equal(merged(&s)->counter4.value, 11);
    assert_int_equal(merged(&s)->counter8.value, 11);
    assert_note(&s,
                "counter4 was changed by 1 from 10, which someone else had set meanwhile; counter8 was changed by 1");
    end(&s);
    assert_int_equal(run(&s, &five, &six, &six, COUNTER4, -1), CHARLE_OK); // both added one
    assert_int_equal(merged(&s)->counter4.value, 7);
    end(&s);
    assert_int_equal(run(&s, &five, &ten, &five, COUNTER4, -1), CHARLE_OK); // nothing was added
    assert_false(changed(&s, COUNTER4));
    end(&s);
    assert_int_equal(run(&s, &none, &ten, &six, COUNTER4, -1), CHARLE_OK); // null counts as zero
    assert_int_equal(merged(&s)->counter4.value, 16);
    end(&s);
    assert_int_equal(run(&s, &five, &none, &six, COUNTER8, -1), CHARLE_OK);
    assert_int_equal(merged(&s)->counter8.value, 1);
    end(&s);
    assert_refused(COUNTER4, &five, &ten, &none, CHARLE_CONFLICT, "counter4 of this thing was changed by someone else");
    assert_refused(COUNTER_REAL, &five, &ten, &six, CHARLE_CONFLICT, "counter_real of this thing was changed");
    assert_int_equal(run(&s, &five, &ten, &ten, COUNTER_REAL, -1), CHARLE_OK);
    assert_false(changed(&s, COUNTER_REAL));
    end(&s);
    assert_refused(COUNTER4, &five, &most, &six, CHARLE_OUT_OF_RANGE, "counter4 of this thing would become too large");
    assert_refused(COUNTER4, &six, &least, &five, CHARLE_OUT_OF_RANGE, "too large");
    assert_refused(COUNTER8, &five, &most, &six, CHARLE_OUT_OF_RANGE, "too large");
    assert_refused(COUNTER8, &least, &five, &most, CHARLE_OUT_OF_RANGE, "too large");
}

#define SET_OF(...)                                                                       \
    {                                                                                     \
        .set = {                                                                          \
            (const struct charle_str[]){__VA_ARGS__},                                     \
            sizeof((const struct charle_str[]){__VA_ARGS__}) / sizeof(struct charle_str), \
            true                                                                          \
        }                                                                                 \
    }
#define S(x) CHARLE_STR_INIT(x)

static void sets(void **state)
{
    (void)state;
    const struct row abc = SET_OF(S("a"), S("b"), S("c")), abcd = SET_OF(S("a"), S("b"), S("c"), S("d")),
                     ace = SET_OF(S("a"), S("c"), S("e")), empty = {0}, ab = SET_OF(S("a"), S("b")),
                     aab = SET_OF(S("a"), S("a"), S("b"));
    struct scene s;
    assert_int_equal(run(&s, &abc, &abc, &ace, SET, -1), CHARLE_OK);
    assert_int_equal(merged(&s)->set.count, 3);
    assert_note(&s, "");
    end(&s);
    assert_int_equal(run(&s, &abc, &abcd, &ace, SET, -1), CHARLE_OK); // d was added there, b removed and e added here
    const struct charle_str *items = merged(&s)->set.items;
    assert_int_equal(merged(&s)->set.count, 4);
    assert_true(charle_str_equal(items[0], CHARLE_STR("a")) && charle_str_equal(items[1], CHARLE_STR("c")) &&
                charle_str_equal(items[2], CHARLE_STR("d")) && charle_str_equal(items[3], CHARLE_STR("e")));
    assert_note(&s, "set had been changed to [\"a\",\"b\",\"c\",\"d\"] meanwhile; with what was added and removed it "
                    "is [\"a\",\"c\",\"d\",\"e\"]");
    end(&s);
    assert_int_equal(run(&s, &abc, &empty, &abcd, SET, -1), CHARLE_OK); // removed there, d added here
    assert_int_equal(merged(&s)->set.count, 1);
    end(&s);
    assert_int_equal(run(&s, &abc, &abcd, &abc, SET, -1), CHARLE_OK); // nothing changed here: theirs stays
    assert_int_equal(merged(&s)->set.count, 4);
    end(&s);
    assert_int_equal(run(&s, &empty, &ab, &aab, SET, -1), CHARLE_OK);
    assert_int_equal(merged(&s)->set.count, 2); // a set holds each once
    end(&s);
    const struct row x = {.set_text = T("x")}, y = {.set_text = T("y")}, z = {.set_text = T("z")};
    assert_text(SET_TEXT, &x, &y, &z, "z", "set_text had been changed"); // not an array: as LWW
}

static void once(void **state)
{
    (void)state;
    const struct row none = {0}, a = {.once = T("a")}, b = {.once = T("b")};
    assert_text(ONCE, &none, &none, &a, "a", "");
    assert_text(ONCE, NULL, &none, &a, "a", "");
    assert_text(ONCE, &none, &a, &a, NULL, "");
    assert_text(ONCE, &none, &a, &b, NULL, "once is set once, and \"a\" was there first");
    assert_text(ONCE, NULL, &a, &b, NULL, "was there first");
    assert_refused(ONCE, &a, &a, &b, CHARLE_FAILED_PRECONDITION, "once of this thing is set only once; it is \"a\"");
    assert_refused(ONCE, &none, &a, &(const struct row){.lww = T("x")}, CHARLE_FAILED_PRECONDITION, "set only once");
}

static void append_and_derived(void **state)
{
    (void)state;
    const struct row a = {.append = T("a"), .derived = T("a")}, b = {.append = T("b"), .derived = T("b")};
    assert_text(APPEND, &a, &a, &a, NULL, "");
    assert_text(DERIVED, &b, &a, &a, NULL, "");
    assert_refused(APPEND, &a, &a, &b, CHARLE_FAILED_PRECONDITION,
                   "rows of thing are added, not changed: append stays \"a\"");
    assert_refused(DERIVED, &a, &a, &b, CHARLE_FAILED_PRECONDITION, "derived of thing is worked out from other values");
}

static void text(void **state)
{
    (void)state;
    const struct row base = {.text = T("a\n\nb")}, stored = {.text = T("A\n\nb")}, wanted = {.text = T("a\n\nB")},
                     clash = {.text = T("x\n\nb")}, none = {0};
    assert_text(TEXT, &base, &base, &wanted, "a\n\nB", "");
    assert_text(TEXT, NULL, &base, &wanted, "a\n\nB", "");
    assert_text(TEXT, &base, &stored, &wanted, "A\n\nB",
                "text was changed elsewhere by someone else: both changes are in it");
    assert_text(TEXT, &base, &stored, &clash,
                CH_MERGE_MARK_FIRST "\n\nA\n\n" CH_MERGE_MARK_SECOND "\n\nx\n\n" CH_MERGE_MARK_END "\n\nb",
                "text was changed in the same place by someone else: both versions are in it, marked");
    assert_text(TEXT, &none, &stored, &wanted, "A\n\nb\n\na\n\nB", "both changes are in it");
    assert_text(TEXT, &base, &none, &wanted, "a\n\nB", "text had been changed to null meanwhile");
    struct scene s;
    assert_int_equal(run(&s, &base, &stored, &none, TEXT, -1), CHARLE_OK);
    assert_false(merged(&s)->text.has);
    assert_note(&s, "text had been changed to");
    end(&s);
    const struct row yes = {.text_bool = I(true)}, no = {.text_bool = I(false)};
    assert_int_equal(run(&s, &no, &yes, &none, TEXT_BOOL, -1), CHARLE_OK); // not text: as LWW
    assert_note(&s, "text_bool had been changed to true meanwhile");
    end(&s);
}

// --- rows --------------------------------------------------------------------------------------------------

static void different_columns_never_conflict(void **state)
{
    (void)state;
    const struct row base = {.lww = T("a"), .server = T("a")}, stored = {.lww = T("a"), .server = T("b")},
                     wanted = {.lww = T("x"), .server = T("a")};
    struct scene s;
    assert_int_equal(run(&s, &base, &stored, &wanted, LWW, -1), CHARLE_OK);
    assert_true(changed(&s, LWW) && !changed(&s, SERVER));
    assert_note(&s, "");
    end(&s);
    assert_int_equal(run(&s, &base, &stored, &wanted, LWW, SERVER), CHARLE_CONFLICT); // asked to set the other one too
    end(&s);
}

static void deletes(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_error err;
    const struct row base = {.lww = T("a"), .derived = T("d"), .updated_at = {{1}, true}},
                     calm = {.lww = T("a"), .derived = T("e"), .updated_at = {{2}, true}, .server = T("s")},
                     moved = {.lww = T("b")};
    assert_int_equal(ch_merge_delete(&table, NULL, &moved, &arena, &err), CHARLE_OK);
    assert_int_equal(ch_merge_delete(&table, &base, &calm, &arena, &err), CHARLE_OK);
    assert_int_equal(ch_merge_delete(&table, &base, &moved, &arena, &err), CHARLE_CONFLICT);
    assert_string_equal(
        err.text,
        "lww of this thing was changed by someone else meanwhile: it is \"b\" now; look at it before deleting it");
    charle_arena_deinit(&arena);
}

static void equal_values_have_not_moved(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    const struct charle_field *numeric = &fields[NUMERIC], *json = &fields[JSON], *real = &fields[COUNTER_REAL],
                              *set = &fields[SET];
#define N(text)                  \
    {                            \
        {CHARLE_STR(text)}, true \
    }
    struct row a = {.numeric = N("1.0"), .json = N("{\"b\":1, \"a\":2}"), .counter_real = I(0.0)},
               b = {.numeric = N("1.00"), .json = N("{\"a\": 2, \"b\": 1}"), .counter_real = I(-0.0)},
               c = {.numeric = N("1.01"), .json = N("{\"a\": 3}"), .counter_real = I(__builtin_nan(""))},
               d = {.numeric = N("one"), .json = N("{"), .counter_real = I(__builtin_nan("1"))}, none = {0};
    assert_true(ch_merge_is_equal(numeric, &a, &a, &arena) && ch_merge_is_equal(numeric, &a, &b, &arena));
    assert_false(ch_merge_is_equal(numeric, &a, &c, &arena) || ch_merge_is_equal(numeric, &a, &d, &arena) ||
                 ch_merge_is_equal(numeric, &d, &a, &arena) || ch_merge_is_equal(numeric, &a, &none, &arena));
    assert_true(ch_merge_is_equal(json, &a, &a, &arena) && ch_merge_is_equal(json, &a, &b, &arena));
    assert_false(ch_merge_is_equal(json, &a, &c, &arena) || ch_merge_is_equal(json, &a, &d, &arena) ||
                 ch_merge_is_equal(json, &d, &a, &arena) || ch_merge_is_equal(json, &none, &a, &arena));
    assert_true(ch_merge_is_equal(real, &a, &b, &arena) && ch_merge_is_equal(real, &c, &d, &arena));
    assert_false(ch_merge_is_equal(real, &a, &c, &arena) || ch_merge_is_equal(real, &c, &a, &arena));
    struct row less = {.counter_real = I(-1.0)}, more = {.counter_real = I(1.0)};
    assert_false(ch_merge_is_equal(real, &less, &more, &arena) || ch_merge_is_equal(real, &more, &less, &arena));
    const struct row ab = SET_OF(S("a"), S("b")), ac = SET_OF(S("a"), S("c")), just_a = SET_OF(S("a")),
                     empty = {.set = {NULL, 0, true}};
    assert_true(ch_merge_is_equal(set, &ab, &ab, &arena) && ch_merge_is_equal(set, &empty, &none, &arena));
    assert_false(ch_merge_is_equal(set, &ab, &ac, &arena) || ch_merge_is_equal(set, &ab, &just_a, &arena));
    const struct charle_field single = {.type = CHARLE_TYPE_FLOAT4, .label = CHARLE_REQUIRED};
    assert_true(ch_merge_is_equal(&single, &(float){0.0f}, &(float){-0.0f}, &arena));
    charle_arena_deinit(&arena);
}

static void long_values_are_cut_in_sentences(void **state)
{
    (void)state;
    const struct row base = {.server = T("a")},
                     stored = {.server = T("01234567890123456789012345678901234567890123éééééééé")},
                     wanted = {.server = T("x")};
    assert_refused(SERVER, &base, &stored, &wanted, CHARLE_CONFLICT,
                   "it is \"01234567890123456789012345678901234567890123é… now");
}

static void a_full_heap_is_reported(void **state)
{
    (void)state;
    const struct row base = {.text = T("a\n\nb"), .set = {NULL, 0, true}}, stored = SET_OF(S("a")),
                     wanted = SET_OF(S("b"));
    const struct row text_stored = {.text = T("A\n\nb")}, text_wanted = {.text = T("a\n\nB")};
    const struct row *rows[2][2] = {{&stored, &wanted}, {&text_stored, &text_wanted}};
    for (int which = 0; which < 2; which++) {
        int failures = 0;
        for (size_t size = 16; size < 200000; size += 16) {
            struct scene s = {.merge = {.table = &table,
                                        .arena = &s.arena,
                                        .base = &base,
                                        .stored = rows[which][0],
                                        .wanted = rows[which][1]}};
            charle_arena_init(&s.arena, size);
            charle_column_set_add(&s.merge.mask, which ? TEXT : SET);
            enum charle_err rc = ch_merge_update(&s.merge, &s.err);
            failures += rc != CHARLE_OK;
            if (rc)
                assert_int_equal(rc, CHARLE_NO_MEMORY);
            end(&s);
            if (!rc && size > 50000)
                break;
        }
        assert_true(failures > 0);
    }
}

// Allocations that fail one after the other, among them those of the sentences.
static void every_allocation_may_fail(void **state)
{
    (void)state;
    const struct row base = {.lww = T("a"), .set = {NULL, 0, true}}, stored = {.lww = T("b"), .set = {NULL, 0, true}}, wanted = {.lww = T("c"), .set = {NULL, 0, true}};
    bool has_failed = true;
    int failures = 0;
    for (long n = 1; has_failed; n++) {
        struct scene s;
        ch_alloc_fail_at(n, 0);
        enum charle_err rc = run(&s, &base, &stored, &wanted, LWW, SET);
        has_failed = ch_alloc_count() >= n;
        ch_alloc_fail_at(0, 0);
        if (rc)
            assert_int_equal(rc, CHARLE_NO_MEMORY);
        failures += rc != CHARLE_OK;
        end(&s);
    }
    assert_true(failures > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lww),
        cmocka_unit_test(server),
        cmocka_unit_test(group),
        cmocka_unit_test(fsm),
        cmocka_unit_test(many_steps_are_cut),
        cmocka_unit_test(counters),
        cmocka_unit_test(sets),
        cmocka_unit_test(once),
        cmocka_unit_test(append_and_derived),
        cmocka_unit_test(text),
        cmocka_unit_test(different_columns_never_conflict),
        cmocka_unit_test(deletes),
        cmocka_unit_test(equal_values_have_not_moved),
        cmocka_unit_test(long_values_are_cut_in_sentences),
        cmocka_unit_test(a_full_heap_is_reported),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
