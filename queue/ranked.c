#include "queue/ranked.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

static bool before(const rfi_rank *a, int64_t score, int64_t id)
{
    return a->score < score || (a->score == score && a->id < id);
}

/* A node's weight in the heap order: a fixed hash (the finaliser of SplitMix64). */
static uint64_t weight(const rfi_rank *node)
{
    uint64_t z = (uint64_t)node->id + UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static int64_t size_of(const rfi_rank *node)
{
    return node ? node->size : 0;
}

static void measure(rfi_rank *node)
{
    node->size = 1 + size_of(node->left) + size_of(node->right);
}

/* All of *low stand before all of *high. Depth is logarithmic, so recursion is fine. */
static void split(rfi_rank *tree, int64_t score, int64_t id, rfi_rank **low, rfi_rank **high)
{
    if (!tree) {
        *low = *high = NULL;
        return;
    }
    if (before(tree, score, id)) {
        split(tree->right, score, id, &tree->right, high);
        *low = tree;
    } else {
        split(tree->left, score, id, low, &tree->left);
        *high = tree;
    }
    measure(tree);
}

static rfi_rank *merge(rfi_rank *low, rfi_rank *high)
{
    if (!low || !high)
        return low ? low : high;
    if (weight(low) > weight(high)) {
        low->right = merge(low->right, high);
        measure(low);
        return low;
    }
    high->left = merge(low, high->left);
    measure(high);
    return high;
}

void rfi_ranked_insert(rfi_ranked *set, rfi_rank *node)
{
    rfi_rank **at = &set->root;
    assert(node->size == 0);
    while (*at && weight(*at) > weight(node)) {
        (*at)->size++;
        at = before(*at, node->score, node->id) ? &(*at)->right : &(*at)->left;
    }
    split(*at, node->score, node->id, &node->left, &node->right);
    measure(node);
    *at = node;
}

void rfi_ranked_remove(rfi_ranked *set, rfi_rank *node)
{
    rfi_rank **at = &set->root;
    while (*at != node) {
        assert(*at);
        (*at)->size--;
        at = before(*at, node->score, node->id) ? &(*at)->right : &(*at)->left;
    }
    *at = merge(node->left, node->right);
    node->left = node->right = NULL;
    node->size = 0;
}

rfi_rank *rfi_ranked_first(const rfi_ranked *set)
{
    rfi_rank *node = set->root;
    while (node && node->left)
        node = node->left;
    return node;
}

int64_t rfi_ranked_size(const rfi_ranked *set)
{
    return size_of(set->root);
}

int64_t rfi_ranked_before(const rfi_ranked *set, int64_t score, int64_t id)
{
    int64_t count = 0;
    for (const rfi_rank *node = set->root; node;) {
        const bool left_of = before(node, score, id);
        count += left_of ? 1 + size_of(node->left) : 0;
        node = left_of ? node->right : node->left;
    }
    return count;
}
