// The words that a proxy understands: see proxy.h.
#include "fault/proxy/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, LINE_SIZE = 256 };

struct command {
    struct proxy *proxy;
    int64_t now_us;
    char text[LINE_SIZE];
    char *words[WORDS_MAX]; // without the verb
    int count;
    struct charle_error *err;
};

typedef enum charle_err (*command_fn)(struct command *command);

static const char *const fault_names[FAULT_COUNT] = {"none", "drop", "duplicate", "reorder", "lose"};
static const char *const type_names[] = {"any", "HELLO", "CALL", "MESSAGE", "HALF_CLOSE", "STATUS", "CANCEL", "WINDOW", "PING", "PONG", "GOAWAY"};

// --- words --------------------------------------------------------------------------------------------------------------------

static enum charle_err refuse(struct command *command, const char *what, int index)
{
    const char *word = index < command->count ? command->words[index] : "";
    return charle_fail(command->err, CHARLE_INVALID_ARGUMENT, "\"%s\" is not %s in the command \"%s\"", word, what, command->text);
}

static enum charle_err read_number(struct command *command, int index, int64_t *out)
{
    char *end = NULL;
    *out = 0;
    if (index < command->count)
        *out = strtoll(command->words[index], &end, 10);
    return end && end != command->words[index] && !*end ? CHARLE_OK : refuse(command, "a number", index);
}

static int find_name(const char *const *names, int count, const char *word)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return -1;
}

static enum charle_err read_direction(struct command *command, bool out[PROXY_DIRECTIONS])
{
    const char *word = command->count ? command->words[0] : "";
    bool is_both = strcmp(word, "both") == 0;
    out[PROXY_UP] = is_both || strcmp(word, "up") == 0;
    out[PROXY_DOWN] = is_both || strcmp(word, "down") == 0;
    return out[PROXY_UP] || out[PROXY_DOWN] ? CHARLE_OK : refuse(command, "up, down or both", 0);
}

static enum charle_err read_name(struct command *command, int index, const char *const *names, int count, const char *what, int *out)
{
    *out = index < command->count ? find_name(names, count, command->words[index]) : -1;
    return *out >= 0 ? CHARLE_OK : refuse(command, what, index);
}

#define COUNT_OF(names) ((int)(sizeof(names) / sizeof(names[0])))

static enum charle_err read_switch(struct command *command, bool *out)
{
    static const char *const names[] = {"off", "on"};
    int value;
    enum charle_err rc = read_name(command, 0, names, 2, "on or off", &value);
    if (!rc)
        *out = value == 1;
    return rc;
}

// --- commands -----------------------------------------------------------------------------------------------------------------

static enum charle_err do_cut(struct command *command)
{
    static const char *const whens[] = {"next", "now"};
    bool which[PROXY_DIRECTIONS];
    int64_t bytes;
    int when = 0;
    enum charle_err rc = read_direction(command, which);
    if (!rc)
        rc = read_number(command, 1, &bytes);
    if (!rc && command->count > 2)
        rc = read_name(command, 2, whens, 2, "next or now", &when);
    if (rc)
        return rc;
    for (int i = 0; i < PROXY_DIRECTIONS; i++) {
        if (which[i] && when == 0)
            command->proxy->weather[i].next_cut = bytes;
        for (struct pair *pair = command->proxy->pairs; pair && which[i] && when == 1; pair = pair->next)
            pair->lanes[i].cut_at = (int64_t)pair->lanes[i].passed + bytes;
    }
    return CHARLE_OK;
}

static enum charle_err do_frame(struct command *command)
{
    bool which[PROXY_DIRECTIONS];
    int type, fault;
    int64_t number;
    enum charle_err rc = read_direction(command, which);
    if (!rc)
        rc = read_name(command, 1, type_names, COUNT_OF(type_names), "a type of frame", &type);
    if (!rc)
        rc = read_number(command, 2, &number);
    if (!rc)
        rc = read_name(command, 3, fault_names, FAULT_COUNT, "drop, duplicate, reorder or lose", &fault);
    for (int i = 0; !rc && i < PROXY_DIRECTIONS; i++)
        if (which[i])
            command->proxy->weather[i].next_frame = (struct frame_plan){type, (uint32_t)number, (enum proxy_fault)fault};
    return rc;
}

static enum charle_err do_chance(struct command *command)
{
    bool which[PROXY_DIRECTIONS];
    int fault;
    int64_t per_mille;
    enum charle_err rc = read_direction(command, which);
    if (!rc)
        rc = read_name(command, 1, fault_names, FAULT_COUNT, "drop, duplicate, reorder or lose", &fault);
    if (!rc)
        rc = read_number(command, 2, &per_mille);
    for (int i = 0; !rc && i < PROXY_DIRECTIONS; i++)
        if (which[i])
            command->proxy->weather[i].chance[fault] = (uint32_t)per_mille;
    return rc;
}

static enum charle_err do_only(struct command *command)
{
    uint32_t types = 0;
    for (int i = 0; i < command->count; i++) {
        int type;
        enum charle_err rc = read_name(command, i, type_names, COUNT_OF(type_names), "a type of frame", &type);
        if (rc)
            return rc;
        types |= type ? 1u << type : UINT32_MAX;
    }
    command->proxy->types = types;
    return types ? CHARLE_OK : refuse(command, "a type of frame", 0);
}

static enum charle_err do_delay(struct command *command)
{
    bool which[PROXY_DIRECTIONS];
    int64_t ms, jitter_ms = 0;
    enum charle_err rc = read_direction(command, which);
    if (!rc)
        rc = read_number(command, 1, &ms);
    if (!rc && command->count > 2)
        rc = read_number(command, 2, &jitter_ms);
    for (int i = 0; !rc && i < PROXY_DIRECTIONS; i++) {
        struct weather *weather = &command->proxy->weather[i];
        weather->delay_us = which[i] ? ms * 1000 : weather->delay_us;
        weather->jitter_us = which[i] ? jitter_ms * 1000 : weather->jitter_us;
    }
    return rc;
}

static enum charle_err do_throttle(struct command *command)
{
    bool which[PROXY_DIRECTIONS];
    int64_t rate;
    enum charle_err rc = read_direction(command, which);
    if (!rc)
        rc = read_number(command, 1, &rate);
    for (int i = 0; !rc && i < PROXY_DIRECTIONS; i++)
        if (which[i])
            command->proxy->weather[i].rate = (uint64_t)rate;
    return rc;
}

static enum charle_err do_stall(struct command *command)
{
    bool which[PROXY_DIRECTIONS];
    int64_t ms;
    enum charle_err rc = read_direction(command, which);
    if (!rc)
        rc = read_number(command, 1, &ms);
    for (int i = 0; !rc && i < PROXY_DIRECTIONS; i++)
        if (which[i])
            command->proxy->weather[i].stalled_until_us = ms < 0 ? INT64_MAX : command->now_us + ms * 1000;
    return rc;
}

static enum charle_err do_half_close(struct command *command)
{
    bool which[PROXY_DIRECTIONS];
    enum charle_err rc = read_direction(command, which);
    for (struct pair *pair = command->proxy->pairs; !rc && pair; pair = pair->next)
        for (int i = 0; i < PROXY_DIRECTIONS && pair->server >= 0; i++)
            if (which[i])
                pair->lanes[i].is_ended = true;
    return rc;
}

static void end_all(struct proxy *proxy, bool is_reset)
{
    for (struct pair *pair = proxy->pairs; pair; pair = pair->next) {
        proxy->counts.cuts++;
        pair_kill(pair, is_reset);
    }
}

static enum charle_err do_close(struct command *command)
{
    end_all(command->proxy, false);
    return CHARLE_OK;
}

static enum charle_err do_reset(struct command *command)
{
    end_all(command->proxy, true);
    return CHARLE_OK;
}

static enum charle_err do_blackhole(struct command *command)
{
    return read_switch(command, &command->proxy->is_blackhole);
}

static enum charle_err do_refuse(struct command *command)
{
    return read_switch(command, &command->proxy->is_refusing);
}

static enum charle_err do_seed(struct command *command)
{
    int64_t seed;
    enum charle_err rc = read_number(command, 0, &seed);
    if (!rc)
        command->proxy->random = (uint64_t)seed;
    return rc;
}

static enum charle_err do_heal(struct command *command)
{
    struct proxy *proxy = command->proxy;
    proxy->is_blackhole = proxy->is_refusing = false;
    for (int i = 0; i < PROXY_DIRECTIONS; i++)
        proxy->weather[i] = (struct weather){.next_cut = -1};
    for (struct pair *pair = proxy->pairs; pair; pair = pair->next)
        for (int i = 0; i < PROXY_DIRECTIONS; i++)
            pair->lanes[i].cut_at = -1;
    return CHARLE_OK;
}

static const struct {
    const char *name;
    command_fn run;
} commands[] = {
    {"cut", do_cut},           {"frame", do_frame},   {"chance", do_chance}, {"only", do_only},
    {"delay", do_delay},       {"throttle", do_throttle}, {"stall", do_stall}, {"half-close", do_half_close},
    {"close", do_close},       {"reset", do_reset},   {"blackhole", do_blackhole}, {"refuse", do_refuse},
    {"heal", do_heal},         {"seed", do_seed},
};

enum charle_err command_run(struct proxy *proxy, const char *line, int64_t now_us, struct charle_error *err)
{
    struct command command = {.proxy = proxy, .now_us = now_us, .err = err};
    char copy[LINE_SIZE], *rest = copy, *verb = NULL;
    snprintf(command.text, sizeof(command.text), "%s", line);
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word; (word = strsep(&rest, " ,\t\r\n"));) {
        if (!*word)
            continue;
        if (!verb)
            verb = word;
        else if (command.count < WORDS_MAX)
            command.words[command.count++] = word;
    }
    if (!verb || *verb == '#')
        return CHARLE_OK;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, verb) == 0)
            return commands[i].run(&command);
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%s\" is no command of the proxy", verb);
}
