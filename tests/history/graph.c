#include "history/graph.h"

#include <stdlib.h>
#include <string.h>

static void *must_have(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void graph_add(struct graph *graph, uint32_t from, uint32_t to, enum edge_kind kind)
{
    if (from == to)
        return;
    if (graph->edge_count == graph->edge_capacity) {
        graph->edge_capacity = graph->edge_capacity ? graph->edge_capacity * 2 : 1024;
        graph->edges = must_have(realloc(graph->edges, graph->edge_capacity * sizeof(*graph->edges)));
    }
    graph->edges[graph->edge_count++] = (struct graph_edge){from, to, (uint32_t)kind};
}

void graph_sort(struct graph *graph)
{
    uint32_t *starts = must_have(calloc((size_t)graph->node_count + 2, sizeof(*starts)));
    struct graph_edge *sorted = must_have(malloc((graph->edge_count + 1) * sizeof(*sorted)));
    for (size_t i = 0; i < graph->edge_count; i++)
        starts[graph->edges[i].from + 2]++;
    for (uint32_t i = 2; i < graph->node_count + 2; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < graph->edge_count; i++)
        sorted[starts[graph->edges[i].from + 1]++] = graph->edges[i];
    free(graph->edges);
    graph->edges = sorted;
    graph->edge_capacity = graph->edge_count + 1;
    graph->starts = starts;
}

void graph_deinit(struct graph *graph)
{
    free(graph->edges);
    free(graph->starts);
    *graph = (struct graph){0};
}

// --- components -----------------------------------------------------------------------------------------------------------------

struct tarjan {
    const struct graph *graph;
    uint32_t kinds;
    uint32_t *order, *low, *at;   // by node: number of its visit (0: none), lowest that it reaches, next edge
    uint32_t *stack, *path;       // of nodes; the path is what recursion would keep
    uint32_t stack_size, path_size, visits, components;
    uint32_t *out;
};

static const uint32_t closed = UINT32_MAX; // in `low`: the node's component is known

static void enter(struct tarjan *t, uint32_t node)
{
    t->order[node] = t->low[node] = ++t->visits;
    t->at[node] = t->graph->starts[node];
    t->stack[t->stack_size++] = node;
    t->path[t->path_size++] = node;
}

static void leave(struct tarjan *t, uint32_t node)
{
    t->path_size--;
    if (t->path_size && t->low[node] < t->low[t->path[t->path_size - 1]])
        t->low[t->path[t->path_size - 1]] = t->low[node];
    if (t->low[node] != t->order[node])
        return;
    bool is_single = t->stack[t->stack_size - 1] == node;
    uint32_t number = is_single ? 0 : ++t->components, member;
    do {
        member = t->stack[--t->stack_size];
        t->low[member] = closed;
        t->out[member] = number;
    } while (member != node);
}

static void visit(struct tarjan *t, uint32_t root)
{
    enter(t, root);
    while (t->path_size) {
        uint32_t node = t->path[t->path_size - 1];
        if (t->at[node] == t->graph->starts[node + 1]) {
            leave(t, node);
            continue;
        }
        const struct graph_edge *edge = &t->graph->edges[t->at[node]++];
        if (!(edge->kind & t->kinds))
            continue;
        if (!t->order[edge->to])
            enter(t, edge->to);
        else if (t->low[edge->to] != closed && t->order[edge->to] < t->low[node])
            t->low[node] = t->order[edge->to];
    }
}

uint32_t graph_components(const struct graph *graph, uint32_t kinds, uint32_t *out)
{
    size_t count = (size_t)graph->node_count + 1;
    uint32_t *memory = must_have(calloc(count * 5, sizeof(*memory)));
    struct tarjan t = {.graph = graph, .kinds = kinds, .out = out, .order = memory, .low = memory + count, .at = memory + 2 * count,
                       .stack = memory + 3 * count, .path = memory + 4 * count};
    for (uint32_t node = 0; node < graph->node_count; node++)
        if (!t.order[node])
            visit(&t, node);
    free(memory);
    return t.components;
}

bool graph_reaches(const struct graph *graph, uint32_t from, uint32_t to, uint32_t kinds, const uint32_t *components)
{
    uint8_t *seen = must_have(calloc(graph->node_count, 1));
    uint32_t *queue = must_have(malloc((size_t)graph->node_count * sizeof(*queue)));
    uint32_t head = 0, tail = 0;
    queue[tail++] = from;
    seen[from] = 1;
    while (head < tail && !seen[to]) {
        uint32_t node = queue[head++];
        for (uint32_t i = graph->starts[node]; i < graph->starts[node + 1]; i++) {
            const struct graph_edge *edge = &graph->edges[i];
            if (!(edge->kind & kinds) || seen[edge->to] || components[edge->to] != components[from])
                continue;
            seen[edge->to] = 1;
            queue[tail++] = edge->to;
        }
    }
    bool found = seen[to];
    free(seen);
    free(queue);
    return found;
}
