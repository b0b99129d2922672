// Three-way merge of text: what both keep, what one changes, what both change.
#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "sync/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MARKED(first, second) \
    CH_MERGE_MARK_FIRST "\n\n" first "\n\n" CH_MERGE_MARK_SECOND "\n\n" second "\n\n" CH_MERGE_MARK_END

static void cases(void **state)
{
    (void)state;
    static const struct {
        const char *base, *stored, *wanted, *result;
        bool is_marked;
    } list[] = {
        {"a", "a", "a", "a", false},
        {"a", "b", "a", "b", false},
        {"a", "a", "b", "b", false},
        {"a", "b", "b", "b", false},
        {"a", "b", "c", MARKED("b", "c"), true},
        {"", "", "", "", false},
        {"", "a", "", "a", false},
        {"", "", "a", "a", false},
        {"", "a", "b", "a\n\nb", false},
        {"a\n\nb\n\nc", "A\n\nb\n\nc", "a\n\nb\n\nC", "A\n\nb\n\nC", false},
        {"a\n\nb\n\nc", "A\n\nb\n\nc", "B\n\nb\n\nc", MARKED("A", "B") "\n\nb\n\nc", true},
        {"a\n\nb\n\nc", "a\n\nc", "a\n\nb\n\nc\n\nd", "a\n\nc\n\nd", false},
        {"a\n\nb", "a\n\nb\n\nc", "a\n\nb\n\nd", "a\n\nb\n\nc\n\nd", false},
        {"a\n\nb", "x\n\na\n\nb", "a\n\nb\n\ny", "x\n\na\n\nb\n\ny", false},
        {"a\n\nb\n\nc", "a\n\nc", "a\n\nB\n\nc",
         "a\n\n" CH_MERGE_MARK_FIRST "\n\n" CH_MERGE_MARK_SECOND "\n\nB\n\n" CH_MERGE_MARK_END "\n\nc", true},
        {"a\n\nb\n\nc\n\nd", "d\n\na\n\nb\n\nc", "a\n\nb\n\nc\n\nd", "d\n\na\n\nb\n\nc", false},
        {"a\n\n\n\nb", "a\n\nb", "a\n\nb\n\nc", "a\n\nb\n\nc", false},
        {"one line\nof two\n\nb", "one line\nof two\n\nB", "one line\nof three\n\nb", "one line\nof three\n\nB", false},
        {"\n\na\n\n", "a", "a\n\nb", "a\n\nb", false},
        {"a\n\nb", "A\n\nb", "a\n\nB", "A\n\nB", false},
        {"a\n\nb", "A\n\nc", "a\n\nB", "A\n\n" MARKED("c", "B"), true},
        {"x\n\nx\n\nx", "x\n\nx", "x\n\nx\n\nx\n\nx",
         "x\n\nx\n\n" CH_MERGE_MARK_FIRST "\n\n" CH_MERGE_MARK_SECOND "\n\nx\n\nx\n\n" CH_MERGE_MARK_END, true},
    };
    struct charle_arena arena = {0};
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        bool is_marked;
        struct charle_str out = ch_merge_text(charle_str(list[i].base), charle_str(list[i].stored),
                                              charle_str(list[i].wanted), &arena, &is_marked);
        if (!charle_str_equal(out, charle_str(list[i].result)) || is_marked != list[i].is_marked)
            fail_msg("case %zu gave \"%.*s\"", i, CHARLE_FMT(out));
    }
    charle_arena_deinit(&arena);
}

// Builds a text of paragraphs p0, p1, …; each is changed, left out, or followed by an inserted one, as the bits of
// `edit` say.
static struct charle_str edited(struct charle_arena *arena, int count, unsigned edit, const char *mark)
{
    struct charle_buf buf = {0};
    for (int i = 0; i < count; i++) {
        unsigned what = edit >> (2 * i) & 3;
        if (what != 2)
            charle_buf_printf(&buf, "%sp%d%s", buf.size ? "\n\n" : "", i, what == 1 ? mark : "");
        if (what == 3)
            charle_buf_printf(&buf, "\n\nnew %s after p%d", mark, i);
    }
    struct charle_str text = charle_arena_str(arena, charle_buf_str(&buf));
    charle_buf_deinit(&buf);
    return text;
}

static size_t count_of(struct charle_str text, const char *needle)
{
    size_t count = 0;
    for (const char *at = text.ptr; (at = strstr(at, needle)); at++)
        count++;
    return count;
}

// Every pair of edits of four paragraphs: nothing that either side wrote is lost, and the result depends on the order
// of the sides only inside marks and between insertions at one place.
static void nothing_written_is_lost(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    enum { COUNT = 4, EDITS = 1 << (2 * COUNT) };
    for (unsigned s = 0; s < EDITS; s++) {
        for (unsigned w = 0; w < EDITS; w++) {
            charle_arena_reset(&arena);
            struct charle_str base = edited(&arena, COUNT, 0, ""), stored = edited(&arena, COUNT, s, "S"),
                              wanted = edited(&arena, COUNT, w, "W");
            bool is_marked;
            struct charle_str out = ch_merge_text(base, stored, wanted, &arena, &is_marked);
            assert_non_null(out.ptr);
            for (int i = 0; i < COUNT; i++) {
                char name[40];
                unsigned by_s = s >> (2 * i) & 3, by_w = w >> (2 * i) & 3;
                snprintf(name, sizeof(name), by_s == 1 ? "p%dS" : "new S after p%d", i);
                if ((by_s == 1 || by_s == 3) && !count_of(out, name))
                    fail_msg("%s is lost: s=%x w=%x: %s", name, s, w, out.ptr);
                snprintf(name, sizeof(name), by_w == 1 ? "p%dW" : "new W after p%d", i);
                if ((by_w == 1 || by_w == 3) && !count_of(out, name))
                    fail_msg("%s is lost: s=%x w=%x: %s", name, s, w, out.ptr);
            }
            assert_int_equal(is_marked, count_of(out, CH_MERGE_MARK_FIRST) > 0);
            if (!s)
                assert_true(charle_str_equal(out, wanted));
            if (!w)
                assert_true(charle_str_equal(out, stored));
        }
    }
    charle_arena_deinit(&arena);
}

static void very_long_texts_are_one_piece(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_buf text = {0};
    for (int i = 0; i <= CH_MERGE_PARAGRAPHS_MAX; i++)
        charle_buf_printf(&text, "p%d\n\n", i);
    struct charle_str base = charle_arena_str(&arena, charle_buf_str(&text));
    charle_buf_add_text(&text, "end");
    struct charle_str stored = charle_arena_str(&arena, charle_buf_str(&text));
    struct charle_str wanted = charle_arena_printf(&arena, "start\n\n%s", base.ptr);
    bool is_marked;
    struct charle_str out = ch_merge_text(base, stored, wanted, &arena, &is_marked);
    assert_true(is_marked);
    assert_non_null(strstr(out.ptr, stored.ptr));
    assert_non_null(strstr(out.ptr, "start"));
    charle_buf_deinit(&text);
    charle_arena_deinit(&arena);
}

static void a_full_arena_gives_nothing(void **state)
{
    (void)state;
    int failures = 0;
    for (long n = 1;; n++) {
        struct charle_arena arena = {0};
        bool is_marked;
        charle_arena_init(&arena, (size_t)n * 16);
        struct charle_str out =
            ch_merge_text(CHARLE_STR("a\n\nb"), CHARLE_STR("a\n\nc"), CHARLE_STR("d\n\nb"), &arena, &is_marked);
        charle_arena_deinit(&arena);
        if (out.ptr)
            break;
        failures++;
    }
    assert_true(failures > 5);
    ch_alloc_fail_at(2, 1); // the arena gets its block, the buffer does not
    struct charle_arena arena = {0};
    bool is_marked;
    struct charle_str out = ch_merge_text(CHARLE_STR("a"), CHARLE_STR("b"), CHARLE_STR("c"), &arena, &is_marked);
    ch_alloc_fail_at(0, 0);
    assert_null(out.ptr);
    charle_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases),
        cmocka_unit_test(nothing_written_is_lost),
        cmocka_unit_test(very_long_texts_are_one_piece),
        cmocka_unit_test(a_full_arena_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
