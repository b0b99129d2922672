#include "msg/json_text.h"

#include "base/limits.h"
#include "msg/wire.h"

static void skip_space(struct ch_json_scanner *s)
{
    while (s->next < s->end && (*s->next == ' ' || *s->next == '\t' || *s->next == '\n' || *s->next == '\r'))
        s->next++;
}

char ch_json_peek(struct ch_json_scanner *s)
{
    skip_space(s);
    return s->next < s->end ? *s->next : '\0';
}

bool ch_json_take(struct ch_json_scanner *s, char c)
{
    if (ch_json_peek(s) != c || s->next == s->end)
        return false;
    s->next++;
    return true;
}

bool ch_json_take_word(struct ch_json_scanner *s, struct charle_str word)
{
    skip_space(s);
    if (!charle_str_has_prefix(charle_str_n(s->next, (size_t)(s->end - s->next)), word))
        return false;
    s->next += word.len;
    return true;
}

static bool skip_digits(struct ch_json_scanner *s)
{
    const char *first = s->next;
    while (s->next < s->end && *s->next >= '0' && *s->next <= '9')
        s->next++;
    return s->next > first;
}

static bool at(const struct ch_json_scanner *s, char c)
{
    return s->next < s->end && *s->next == c;
}

bool ch_json_number(struct ch_json_scanner *s, struct charle_str *out_raw)
{
    skip_space(s);
    const char *first = s->next;
    if (at(s, '-'))
        s->next++;
    if (at(s, '0'))
        s->next++;
    else if (!skip_digits(s))
        return false;
    if (at(s, '.')) {
        s->next++;
        if (!skip_digits(s))
            return false;
    }
    if (at(s, 'e') || at(s, 'E')) {
        s->next++;
        if (at(s, '+') || at(s, '-'))
            s->next++;
        if (!skip_digits(s))
            return false;
    }
    *out_raw = charle_str_n(first, (size_t)(s->next - first));
    return true;
}

// Reads four hexadecimal digits; -1 when they are not there.
static int read_hex(struct ch_json_scanner *s)
{
    if (s->end - s->next < 4)
        return -1;
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = *s->next;
        char low = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value * 16 + (low - 'a' + 10);
        else
            return -1;
        s->next++;
    }
    return value;
}

// Behind "\u": one code point, which may take a second escape. -1 when there is none that may be stored.
static int read_code_point(struct ch_json_scanner *s)
{
    int high = read_hex(s);
    if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
        return -1;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (s->end - s->next < 2 || s->next[0] != '\\' || s->next[1] != 'u')
        return -1;
    s->next += 2;
    int low = read_hex(s);
    return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *put_utf8(char *to, int c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

// Behind a backslash. Writes at *to unless `to` is NULL.
static bool read_escape(struct ch_json_scanner *s, char **to)
{
    static const char from[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (s->next == s->end)
        return false;
    int c = (unsigned char)*s->next++;
    if (c == 'u') {
        c = read_code_point(s);
        if (c < 0)
            return false;
    } else {
        const char *known = c ? strchr(from, c) : NULL;
        if (!known)
            return false;
        c = meaning[known - from];
    }
    if (to)
        *to = put_utf8(*to, c);
    return true;
}

// Checks a string and moves behind its closing quote. out_raw is what lies between the quotes.
static bool scan_string(struct ch_json_scanner *s, struct charle_str *out_raw, bool *out_has_escapes)
{
    skip_space(s);
    if (!at(s, '"'))
        return false;
    const char *first = ++s->next;
    *out_has_escapes = false;
    while (s->next < s->end) {
        char c = *s->next;
        if ((unsigned char)c < 0x20)
            return false;
        s->next++;
        if (c == '"') {
            *out_raw = charle_str_n(first, (size_t)(s->next - first) - 1);
            return true;
        }
        if (c == '\\') {
            *out_has_escapes = true;
            if (!read_escape(s, NULL))
                return false;
        }
    }
    return false;
}

bool ch_json_string(struct ch_json_scanner *s, struct charle_arena *arena, struct charle_str *out)
{
    bool has_escapes;
    struct charle_str raw;
    if (!scan_string(s, &raw, &has_escapes))
        return false;
    *out = raw;
    if (!has_escapes)
        return true;
    char *text = charle_arena_alloc(arena, raw.len); // escapes only get shorter
    if (!text)
        return false;
    char *to = text;
    struct ch_json_scanner inner = ch_json_scanner(raw);
    while (inner.next < inner.end) {
        char c = *inner.next++;
        if (c != '\\')
            *to++ = c;
        else if (!read_escape(&inner, &to))
            return false;
    }
    *out = charle_str_n(text, (size_t)(to - text));
    return true;
}

static bool skip_value(struct ch_json_scanner *s, int depth);

// The inside of an object or array, behind its opening bracket.
static bool skip_items(struct ch_json_scanner *s, char close, int depth)
{
    if (ch_json_take(s, close))
        return true;
    do {
        bool has_escapes;
        struct charle_str key;
        if (close == '}' && (!scan_string(s, &key, &has_escapes) || !ch_json_take(s, ':')))
            return false;
        if (!skip_value(s, depth + 1))
            return false;
    } while (ch_json_take(s, ','));
    return ch_json_take(s, close);
}

static bool skip_value(struct ch_json_scanner *s, int depth)
{
    struct charle_str raw;
    bool has_escapes;
    char c = ch_json_peek(s);
    switch (c) {
    case '{':
    case '[':
        if (depth >= CH_JSON_DEPTH_MAX)
            return false;
        s->next++;
        return skip_items(s, c == '{' ? '}' : ']', depth);
    case '"':
        return scan_string(s, &raw, &has_escapes);
    case 't':
        return ch_json_take_word(s, CHARLE_STR("true"));
    case 'f':
        return ch_json_take_word(s, CHARLE_STR("false"));
    case 'n':
        return ch_json_take_word(s, CHARLE_STR("null"));
    default:
        return ch_json_number(s, &raw);
    }
}

bool ch_json_skip(struct ch_json_scanner *s, struct charle_str *out_raw)
{
    skip_space(s);
    const char *first = s->next;
    if (!skip_value(s, 0))
        return false;
    if (out_raw)
        *out_raw = charle_str_n(first, (size_t)(s->next - first));
    return true;
}

bool ch_json_is_valid(struct charle_str text)
{
    if (!text.len || !charle_utf8_is_valid(text))
        return false;
    struct ch_json_scanner s = ch_json_scanner(text);
    return ch_json_skip(&s, NULL) && ch_json_peek(&s) == '\0' && s.next == s.end;
}
