#include "history/check.h"

#include "history/graph.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS_MAX = 1 << 22, COUNT_MAX = 1 << 24, PENDING_MAX = 1 << 16 };

enum call_state { CALL_UNKNOWN, CALL_INVOKED, CALL_OK, CALL_FAILED };

struct call {
    uint8_t state;
    uint8_t item_count;
    uint8_t found;                     // items in the end; bits
    bool has_returned;                 // second pass: its OK has passed
    uint32_t chains[HISTORY_ITEMS_MAX];
    uint32_t node;
};

struct process {
    struct call *calls;                // by the count in the op
    size_t call_capacity;
    uint32_t *seen;                    // second pass: by chain, how many confirmed items it saw last
    uint64_t pass_count;               // second pass: count of the newest call passed
    uint32_t last_read;                // second pass: node of its newest read; 0: none
    bool has_pass;
};

struct chain {
    uint64_t *items;
    uint32_t count;
};

struct history_check {
    struct process processes[HISTORY_PROCESSES_MAX];
    struct chain *chains;
    size_t chain_capacity;
    int64_t total, end_total;
    bool has_end_total;
    struct graph graph;                // node 0 is nobody
    struct history_report report;
    uint64_t *pending;                 // of the present read, ascending: twice the op, and 1 when it has no effect there
    size_t pending_count;
};

static const char *const names[ANOMALIES] = {"lost",   "duplicated", "unexpected", "partial",  "order",     "total", "G0",      "G1a",
                                             "G1b",    "G1c",        "G-single",   "G2",       "monotonic", "own",   "session", "causal"};

const char *history_anomaly_name(enum history_anomaly anomaly)
{
    return names[anomaly];
}

static void *must_have(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

__attribute__((format(printf, 3, 4))) static void found(struct history_check *check, enum history_anomaly anomaly, const char *format, ...)
{
    va_list args;
    if (check->report.counts[anomaly]++)
        return;
    va_start(args, format);
    vsnprintf(check->report.first[anomaly], sizeof(check->report.first[anomaly]), format, args);
    va_end(args);
}

#define OP_FORMAT    "p%d/%" PRIu64
#define OP_PARTS(op) history_process_of(op), (op) & (((uint64_t)1 << 40) - 1)

struct history_check *history_check_new(int64_t total)
{
    struct history_check *check = must_have(calloc(1, sizeof(*check)));
    check->total = total;
    check->graph.node_count = 1;
    check->pending = must_have(calloc(PENDING_MAX, sizeof(*check->pending)));
    return check;
}

void history_check_free(struct history_check *check)
{
    if (!check)
        return;
    for (int i = 0; i < HISTORY_PROCESSES_MAX; i++) {
        free(check->processes[i].calls);
        free(check->processes[i].seen);
    }
    for (size_t i = 0; i < check->chain_capacity; i++)
        free(check->chains[i].items);
    free(check->chains);
    free(check->pending);
    graph_deinit(&check->graph);
    free(check);
}

// --- finding ------------------------------------------------------------------------------------------------------------------

static struct call *find_call(struct history_check *check, uint64_t op)
{
    int number = history_process_of(op);
    uint64_t count = op & (((uint64_t)1 << 40) - 1);
    if (number < 0 || number >= HISTORY_PROCESSES_MAX || count >= check->processes[number].call_capacity)
        return NULL;
    struct call *call = &check->processes[number].calls[count];
    return call->state == CALL_UNKNOWN ? NULL : call;
}

static struct call *make_call(struct history_check *check, uint64_t op)
{
    int number = history_process_of(op);
    uint64_t count = op & (((uint64_t)1 << 40) - 1);
    if (number < 0 || number >= HISTORY_PROCESSES_MAX || count >= COUNT_MAX)
        return NULL;
    struct process *process = &check->processes[number];
    if (count >= process->call_capacity) {
        size_t capacity = process->call_capacity ? process->call_capacity : 1024;
        while (capacity <= count)
            capacity *= 2;
        process->calls = must_have(realloc(process->calls, capacity * sizeof(*process->calls)));
        memset(process->calls + process->call_capacity, 0, (capacity - process->call_capacity) * sizeof(*process->calls));
        process->call_capacity = capacity;
    }
    return &process->calls[count];
}

static struct chain *find_chain(struct history_check *check, uint64_t number)
{
    static struct chain nothing;
    return number < check->chain_capacity ? &check->chains[number] : &nothing;
}

static struct chain *make_chain(struct history_check *check, uint64_t number)
{
    if (number >= CHAINS_MAX)
        return NULL;
    if (number >= check->chain_capacity) {
        size_t capacity = check->chain_capacity ? check->chain_capacity : 1024;
        while (capacity <= number)
            capacity *= 2;
        check->chains = must_have(realloc(check->chains, capacity * sizeof(*check->chains)));
        memset(check->chains + check->chain_capacity, 0, (capacity - check->chain_capacity) * sizeof(*check->chains));
        check->chain_capacity = capacity;
    }
    return &check->chains[number];
}

// --- the first pass -------------------------------------------------------------------------------------------------------------

static enum charle_err learn_invoke(struct history_check *check, const struct history_record *record, struct charle_error *err)
{
    struct call *call = make_call(check, record->op);
    size_t count = record->word_count / 2;
    if (!call || call->state != CALL_UNKNOWN || count > HISTORY_ITEMS_MAX || record->word_count % 2)
        return charle_fail(err, CHARLE_MALFORMED, "call " OP_FORMAT " was made twice, or is out of bounds", OP_PARTS(record->op));
    call->state = CALL_INVOKED;
    call->item_count = (uint8_t)count;
    call->node = check->graph.node_count++;
    check->report.calls++;
    for (size_t i = 0; i < count; i++) {
        call->chains[i] = (uint32_t)record->words[2 * i];
        if (record->words[2 * i + 1] != history_item(record->op, (int)i) || !make_chain(check, record->words[2 * i]))
            return charle_fail(err, CHARLE_MALFORMED, "call " OP_FORMAT " appends an item that is not its own", OP_PARTS(record->op));
    }
    return CHARLE_OK;
}

static enum charle_err learn_end(struct history_check *check, const struct history_record *record, struct charle_error *err)
{
    struct call *call = find_call(check, record->op);
    if (!call)
        return charle_fail(err, CHARLE_MALFORMED, "call " OP_FORMAT " ended and was never made", OP_PARTS(record->op));
    if (record->kind == HISTORY_FAIL)
        call->state = CALL_FAILED; // a refusal comes after the OK, from the server
    else if (record->kind == HISTORY_OK && call->state == CALL_INVOKED)
        call->state = CALL_OK;
    return CHARLE_OK;
}

static enum charle_err learn_final(struct history_check *check, const struct history_record *record, struct charle_error *err)
{
    struct chain *chain = record->word_count ? make_chain(check, record->words[0]) : NULL;
    if (!chain || chain->items)
        return charle_fail(err, CHARLE_MALFORMED, "the end of a chain is there twice, or has no number");
    chain->count = (uint32_t)record->word_count - 1;
    chain->items = must_have(malloc((chain->count + 1) * sizeof(*chain->items)));
    memcpy(chain->items, record->words + 1, chain->count * sizeof(*chain->items));
    check->report.chains++;
    check->report.items += chain->count;
    return CHARLE_OK;
}

enum charle_err history_check_learn(struct history_check *check, const struct history_record *record, struct charle_error *err)
{
    switch (record->kind) {
    case HISTORY_INVOKE:
        return learn_invoke(check, record, err);
    case HISTORY_OK:
    case HISTORY_FAIL:
    case HISTORY_INFO:
        return learn_end(check, record, err);
    case HISTORY_FINAL:
        return learn_final(check, record, err);
    case HISTORY_TOTAL:
        check->has_end_total = true;
        check->end_total = record->word_count ? (int64_t)record->words[0] : 0;
        return CHARLE_OK;
    case HISTORY_READ:
        return CHARLE_OK;
    }
    return CHARLE_OK;
}

// --- between: what the server has, against the calls -----------------------------------------------------------------------------

static void judge_item(struct history_check *check, uint64_t number, struct chain *chain, uint32_t at)
{
    uint64_t item = chain->items[at], op = history_op_of(item);
    uint64_t place = item % HISTORY_ITEMS_MAX;
    struct call *call = find_call(check, op), *before = at ? find_call(check, history_op_of(chain->items[at - 1])) : NULL;
    if (!call || place >= call->item_count || call->chains[place] != number) {
        found(check, ANOMALY_UNEXPECTED, "chain %" PRIu64 " has an item of " OP_FORMAT " that it did not append", number, OP_PARTS(op));
        return;
    }
    if (call->state == CALL_FAILED)
        found(check, ANOMALY_G1A, "chain %" PRIu64 " has an item of " OP_FORMAT ", which was refused", number, OP_PARTS(op));
    if (call->found >> place & 1)
        found(check, ANOMALY_DUPLICATED, "an item of " OP_FORMAT " is twice in chain %" PRIu64, OP_PARTS(op), number);
    call->found = (uint8_t)(call->found | 1u << place);
    if (before)
        graph_add(&check->graph, before->node, call->node, EDGE_WW);
}

// Items of one process lie in every chain in the order of its calls.
static void judge_process_order(struct history_check *check, uint64_t number, const struct chain *chain)
{
    uint64_t last[HISTORY_PROCESSES_MAX] = {0};
    for (uint32_t i = 0; i < chain->count; i++) {
        int process = history_process_of(history_op_of(chain->items[i]));
        if (process < 0 || process >= HISTORY_PROCESSES_MAX)
            continue;
        if (chain->items[i] < last[process])
            found(check, ANOMALY_SESSION, "chain %" PRIu64 " has " OP_FORMAT " behind a later call of the same process", number,
                  OP_PARTS(history_op_of(chain->items[i])));
        last[process] = chain->items[i];
    }
}

static void judge_call(struct history_check *check, uint64_t op, struct call *call)
{
    uint8_t all = (uint8_t)((1u << call->item_count) - 1);
    check->report.ok += call->state == CALL_OK;
    check->report.failed += call->state == CALL_FAILED;
    check->report.unknown += call->state == CALL_INVOKED;
    if (call->found && call->found != all)
        found(check, ANOMALY_PARTIAL, "only some items of " OP_FORMAT " are on the server", OP_PARTS(op));
    if (call->state == CALL_OK && call->found == 0 && all)
        found(check, ANOMALY_LOST, OP_FORMAT " returned, was not refused, and is not on the server", OP_PARTS(op));
}

void history_check_end_learning(struct history_check *check)
{
    for (size_t i = 0; i < check->chain_capacity; i++) {
        for (uint32_t at = 0; at < check->chains[i].count; at++)
            judge_item(check, i, &check->chains[i], at);
        judge_process_order(check, i, &check->chains[i]);
    }
    for (int number = 0; number < HISTORY_PROCESSES_MAX; number++) {
        struct process *process = &check->processes[number];
        uint32_t before = 0;
        for (size_t count = 0; count < process->call_capacity; count++) {
            struct call *call = &process->calls[count];
            if (call->state == CALL_UNKNOWN)
                continue;
            judge_call(check, history_op(number, count), call);
            if (before && call->found)
                graph_add(&check->graph, before, call->node, EDGE_SO);
            before = call->found ? call->node : before;
        }
    }
    if (check->has_end_total && check->end_total != check->total)
        found(check, ANOMALY_TOTAL, "the server has %" PRId64 " in all in the end instead of %" PRId64, check->end_total, check->total);
}

// --- the second pass: reads -------------------------------------------------------------------------------------------------------

struct read {
    int process;
    uint32_t node;
    uint64_t number;
};

static bool is_pending(const struct history_check *check, uint64_t op)
{
    size_t low = 0, high = check->pending_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (check->pending[middle] >> 1 < op)
            low = middle + 1;
        else
            high = middle;
    }
    return low < check->pending_count && check->pending[low] >> 1 == op;
}

// What a confirmed item that is not where it should be means.
static void judge_wrong_item(struct history_check *check, const struct read *read, uint64_t number, uint64_t item, const uint64_t *before, size_t count)
{
    uint64_t op = history_op_of(item), place = item % HISTORY_ITEMS_MAX;
    const struct call *call = find_call(check, op);
    for (size_t i = 0; i < count; i++)
        if (before[i] == item) {
            found(check, ANOMALY_DUPLICATED, "read %" PRIu64 " of p%d has an item of " OP_FORMAT " twice in chain %" PRIu64, read->number, read->process, OP_PARTS(op), number);
            return;
        }
    if (!call || place >= call->item_count || call->chains[place] != number)
        found(check, ANOMALY_UNEXPECTED, "read %" PRIu64 " of p%d has an item in chain %" PRIu64 " that nobody appended", read->number, read->process, number);
    else if (call->state == CALL_FAILED || !call->found)
        found(check, ANOMALY_G1A, "read %" PRIu64 " of p%d shows " OP_FORMAT ", which is not there in the end", read->number, read->process, OP_PARTS(op));
    else
        found(check, ANOMALY_ORDER, "read %" PRIu64 " of p%d shows " OP_FORMAT " at another place of chain %" PRIu64 " than the server", read->number,
              read->process, OP_PARTS(op), number);
}

// Own calls that returned, do not wait and are on the server are among what is confirmed.
static void judge_own(struct history_check *check, const struct read *read, uint64_t number, const struct chain *chain, size_t prefix)
{
    for (size_t i = prefix; i < chain->count; i++) {
        uint64_t op = history_op_of(chain->items[i]);
        if (history_process_of(op) != read->process || is_pending(check, op))
            continue;
        const struct call *call = find_call(check, op);
        if (call && call->has_returned)
            found(check, ANOMALY_OWN, "read %" PRIu64 " of p%d does not show its own " OP_FORMAT " in chain %" PRIu64, read->number, read->process, OP_PARTS(op), number);
    }
}

static void judge_monotonic(struct history_check *check, const struct read *read, uint64_t number, size_t prefix)
{
    struct process *process = &check->processes[read->process];
    if (number >= check->chain_capacity)
        return;
    if (!process->seen)
        process->seen = must_have(calloc(check->chain_capacity, sizeof(*process->seen)));
    if (prefix < process->seen[number])
        found(check, ANOMALY_MONOTONIC, "read %" PRIu64 " of p%d shows %zu items of chain %" PRIu64 ", after it had seen %" PRIu32, read->number, read->process, prefix,
              number, process->seen[number]);
    process->seen[number] = (uint32_t)prefix;
}

static void add_read_edges(struct history_check *check, const struct read *read, uint64_t number, const struct chain *chain, size_t prefix)
{
    const struct call *seen = prefix ? find_call(check, history_op_of(chain->items[prefix - 1])) : NULL;
    const struct call *next = prefix < chain->count ? find_call(check, history_op_of(chain->items[prefix])) : NULL;
    if (seen && seen == next)
        found(check, ANOMALY_G1B, "read %" PRIu64 " of p%d shows the middle of " OP_FORMAT " in chain %" PRIu64, read->number, read->process,
              OP_PARTS(history_op_of(chain->items[prefix])), number);
    if (seen)
        graph_add(&check->graph, seen->node, read->node, EDGE_WR);
    if (next)
        graph_add(&check->graph, read->node, next->node, EDGE_RW);
}

// Items of waiting calls: own, in order, behind what is confirmed.
static void judge_tail(struct history_check *check, const struct read *read, uint64_t number, const uint64_t *items, size_t prefix, size_t count)
{
    for (size_t i = prefix; i < count; i++) {
        uint64_t op = history_op_of(items[i]);
        if (!is_pending(check, op))
            judge_wrong_item(check, read, number, items[i], items, i);
        else if (i > prefix && items[i] <= items[i - 1] && is_pending(check, history_op_of(items[i - 1])))
            found(check, ANOMALY_SESSION, "read %" PRIu64 " of p%d shows its waiting " OP_FORMAT " out of order", read->number, read->process, OP_PARTS(op));
    }
}

// Own calls that wait are shown, unless the replica says that they have no effect at present.
static void judge_waiting(struct history_check *check, const struct read *read, uint64_t number, const uint64_t *tail, size_t count)
{
    for (size_t i = 0; i < check->pending_count; i++) {
        uint64_t op = check->pending[i] >> 1;
        const struct call *call = check->pending[i] & 1 ? NULL : find_call(check, op);
        for (int place = 0; call && place < call->item_count; place++) {
            size_t at = 0;
            while (at < count && tail[at] != history_item(op, place))
                at++;
            if (call->chains[place] == number && at == count)
                found(check, ANOMALY_OWN, "read %" PRIu64 " of p%d does not show its own waiting " OP_FORMAT " in chain %" PRIu64, read->number, read->process,
                      OP_PARTS(op), number);
        }
    }
}

static void judge_chain(struct history_check *check, const struct read *read, uint64_t number, const uint64_t *items, size_t count)
{
    const struct chain *chain = find_chain(check, number);
    size_t prefix = 0;
    while (prefix < count && !is_pending(check, history_op_of(items[prefix])) && prefix < chain->count && items[prefix] == chain->items[prefix])
        prefix++;
    judge_tail(check, read, number, items, prefix, count);
    judge_waiting(check, read, number, items + prefix, count - prefix);
    judge_own(check, read, number, chain, prefix);
    judge_monotonic(check, read, number, prefix);
    add_read_edges(check, read, number, chain, prefix);
}

// The order within the process: this read follows the one before and the newest own call that does not wait.
static void add_session_edges(struct history_check *check, const struct read *read)
{
    struct process *process = &check->processes[read->process];
    if (process->last_read)
        graph_add(&check->graph, process->last_read, read->node, EDGE_SO);
    process->last_read = read->node;
    for (uint64_t count = process->pass_count + 1; process->has_pass && count-- > 0;) {
        const struct call *call = &process->calls[count];
        if (!call->has_returned || is_pending(check, history_op(read->process, count)))
            continue;
        if (call->found)
            graph_add(&check->graph, call->node, read->node, EDGE_SO);
        if (call->found)
            break;
    }
}

static int compare_ops(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum charle_err walk_read(struct history_check *check, const struct history_record *record, struct charle_error *err)
{
    const uint64_t *words = record->words;
    size_t at = 2, count = record->word_count;
    const struct read read = {record->process, check->graph.node_count++, record->op};
    check->report.reads++;
    if (count < 2 || words[1] > count - 2 || words[1] > PENDING_MAX)
        return charle_fail(err, CHARLE_MALFORMED, "read %" PRIu64 " of p%d is cut off", record->op, record->process);
    if ((int64_t)words[0] != check->total)
        found(check, ANOMALY_TOTAL, "read %" PRIu64 " of p%d has %" PRId64 " in all instead of %" PRId64, record->op, record->process, (int64_t)words[0], check->total);
    check->pending_count = (size_t)words[1];
    for (size_t i = 0; i < check->pending_count; i++)
        check->pending[i] = words[2 + i] << 1 | words[2 + i] >> 63;
    qsort(check->pending, check->pending_count, sizeof(*check->pending), compare_ops);
    at += check->pending_count;
    while (at + 2 <= count && words[at + 1] <= count - at - 2) {
        judge_chain(check, &read, words[at], words + at + 2, (size_t)words[at + 1]);
        at += 2 + (size_t)words[at + 1];
    }
    add_session_edges(check, &read);
    return at == count ? CHARLE_OK : charle_fail(err, CHARLE_MALFORMED, "read %" PRIu64 " of p%d is cut off", record->op, record->process);
}

enum charle_err history_check_walk(struct history_check *check, const struct history_record *record, struct charle_error *err)
{
    struct process *process = &check->processes[record->process];
    struct call *call = record->kind == HISTORY_READ ? NULL : find_call(check, record->op);
    if (record->kind == HISTORY_READ)
        return walk_read(check, record, err);
    if (record->kind == HISTORY_INVOKE && call) {
        process->pass_count = record->op & (((uint64_t)1 << 40) - 1);
        process->has_pass = true;
        if (process->last_read && call->found)
            graph_add(&check->graph, process->last_read, call->node, EDGE_SO);
    } else if (record->kind == HISTORY_OK && call) {
        call->has_returned = true;
    }
    return CHARLE_OK;
}

// --- circles --------------------------------------------------------------------------------------------------------------------

struct circles {
    struct history_check *check;
    uint32_t *components; // of the present kinds
    uint8_t *is_known;    // nodes of circles of a simpler kind
};

// Marks the components and counts those without a node that is already in a simpler circle.
static void count_components(struct circles *circles, uint32_t kinds, enum history_anomaly anomaly, const char *what)
{
    const struct graph *graph = &circles->check->graph;
    uint32_t count = graph_components(graph, kinds, circles->components);
    uint8_t *is_old = must_have(calloc((size_t)count + 1, 1));
    for (uint32_t node = 0; node < graph->node_count; node++)
        if (circles->components[node] && circles->is_known[node])
            is_old[circles->components[node]] = 1;
    for (uint32_t node = 0; node < graph->node_count; node++) {
        uint32_t component = circles->components[node];
        if (component && !is_old[component]) {
            found(circles->check, anomaly, "%s", what);
            is_old[component] = 1;
        }
    }
    for (uint32_t node = 0; node < graph->node_count; node++)
        circles->is_known[node] |= circles->components[node] != 0;
    free(is_old);
}

// A component with rw edges: is there a circle with only one of them?
static void count_rw_components(struct circles *circles)
{
    enum { TRIES = 64 }; // a report of one circle is enough; each try is linear
    struct history_check *check = circles->check;
    const struct graph *graph = &check->graph;
    uint32_t count = graph_components(graph, EDGE_WW | EDGE_WR | EDGE_RW, circles->components);
    uint8_t *is_done = must_have(calloc((size_t)count + 1, 1)), *tries = must_have(calloc((size_t)count + 1, 1));
    for (uint32_t node = 0; node < graph->node_count; node++)
        if (circles->components[node] && circles->is_known[node])
            is_done[circles->components[node]] = 1;
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        uint32_t component = circles->components[edge->from];
        if (edge->kind != EDGE_RW || !component || component != circles->components[edge->to] || is_done[component] || tries[component] == TRIES)
            continue;
        tries[component]++;
        if (graph_reaches(graph, edge->to, edge->from, EDGE_WW | EDGE_WR, circles->components)) {
            found(check, ANOMALY_G_SINGLE, "a read shows a call, and not another one that came before it");
            is_done[component] = 1;
        }
    }
    for (uint32_t component = 1; component <= count; component++)
        if (!is_done[component])
            found(check, ANOMALY_G2, "two reads show two calls in different orders");
    for (uint32_t node = 0; node < graph->node_count; node++)
        circles->is_known[node] |= circles->components[node] != 0;
    free(is_done);
    free(tries);
}

void history_check_judge(struct history_check *check, struct history_report *out)
{
    struct circles circles = {.check = check};
    check->report.edges = check->graph.edge_count;
    graph_sort(&check->graph);
    circles.components = must_have(calloc((size_t)check->graph.node_count + 1, sizeof(uint32_t)));
    circles.is_known = must_have(calloc((size_t)check->graph.node_count + 1, 1));
    count_components(&circles, EDGE_WW, ANOMALY_G0, "calls follow each other in a circle: each was before the other in some chain");
    count_components(&circles, EDGE_WW | EDGE_WR | EDGE_SO, ANOMALY_G1C, "a call comes before what its process had seen or done already");
    count_rw_components(&circles);
    count_components(&circles, EDGE_WW | EDGE_WR | EDGE_RW | EDGE_SO, ANOMALY_CAUSAL, "an effect is shown without what its process had seen or done before");
    free(circles.components);
    free(circles.is_known);
    *out = check->report;
}

// --- files ----------------------------------------------------------------------------------------------------------------------

typedef enum charle_err (*record_fn)(struct history_check *check, const struct history_record *record, struct charle_error *err);

static enum charle_err pass(struct history_check *check, const char *path, record_fn fn, struct charle_error *err)
{
    struct history_reader *reader = NULL;
    struct history_record record;
    enum charle_err rc = history_reader_open(path, &reader, err);
    while (!rc && !(rc = history_read(reader, &record, err)))
        rc = fn(check, &record, err);
    history_reader_close(reader);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

enum charle_err history_check_files(const char *const *paths, int count, int64_t total, struct history_report *out, struct charle_error *err)
{
    struct history_check *check = history_check_new(total);
    enum charle_err rc = CHARLE_OK;
    for (int i = 0; !rc && i < count; i++)
        rc = pass(check, paths[i], history_check_learn, err);
    if (!rc)
        history_check_end_learning(check);
    for (int i = 0; !rc && i < count; i++)
        rc = pass(check, paths[i], history_check_walk, err);
    if (!rc)
        history_check_judge(check, out);
    history_check_free(check);
    return rc;
}

uint64_t history_report_anomalies(const struct history_report *report)
{
    uint64_t all = 0;
    for (int i = 0; i < ANOMALIES; i++)
        all += report->counts[i];
    return all;
}

void history_report_print(const struct history_report *report)
{
    printf("%" PRIu64 " calls (%" PRIu64 " done, %" PRIu64 " refused, %" PRIu64 " unknown), %" PRIu64 " reads, %" PRIu64 " items in %" PRIu64 " chains, %" PRIu64 " edges\n",
           report->calls, report->ok, report->failed, report->unknown, report->reads, report->items, report->chains, report->edges);
    for (int i = 0; i < ANOMALIES; i++)
        if (report->counts[i])
            printf("  %s: %" PRIu64 ", first: %s\n", names[i], report->counts[i], report->first[i]);
}
