// A directed graph with kinds of edges, and the circles in it. Linear: edges are sorted by counting, components found by Tarjan's algorithm
// with a stack of its own.
#ifndef CHARLE_TESTS_HISTORY_GRAPH_H
#define CHARLE_TESTS_HISTORY_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum edge_kind { EDGE_WW = 1, EDGE_WR = 2, EDGE_RW = 4, EDGE_SO = 8 };

struct graph_edge {
    uint32_t from, to;
    uint32_t kind;
};

struct graph {
    struct graph_edge *edges;
    size_t edge_count, edge_capacity;
    uint32_t node_count;
    uint32_t *starts;     // after graph_sort: edges of node n are starts[n] to starts[n + 1]
};

void graph_add(struct graph *graph, uint32_t from, uint32_t to, enum edge_kind kind); // loops are ignored
void graph_sort(struct graph *graph);
void graph_deinit(struct graph *graph);

// Components over the edges of `kinds`: out[node] is the number of its component when that has several nodes, else 0. Returns how many have.
uint32_t graph_components(const struct graph *graph, uint32_t kinds, uint32_t *out);
// Is there a way from one node to another over these kinds, inside a component?
bool graph_reaches(const struct graph *graph, uint32_t from, uint32_t to, uint32_t kinds, const uint32_t *components);

#endif
