/* ranked.h - an ordered set that can say where somebody stands: a treap with the sizes of its subtrees.
 *
 * Waiting jobs of one user stand in one, by score, ties by id. The first, taking out anyone, and the rank are
 * O(log n), so that asking for a position is cheap however long the queue. Treaps: Seidel and Aragon, "Randomized
 * Search Trees", Algorithmica 16 (1996); the random priority is a hash of the id, so a set's shape does not depend on
 * the order in which it was filled. Nodes are embedded in jobs: nothing is allocated. Private to queue/.
 */
#ifndef RF_QUEUE_RANKED_H
#define RF_QUEUE_RANKED_H

#include <stdint.h>

typedef struct rfi_rank {
    struct rfi_rank *left, *right;
    int64_t score, id;
    int64_t size; /* of the subtree; 0: in no set */
} rfi_rank;

typedef struct rfi_ranked {
    rfi_rank *root;
} rfi_ranked;

void rfi_ranked_insert(rfi_ranked *set, rfi_rank *node); /* score and id are set; it is in no set */
void rfi_ranked_remove(rfi_ranked *set, rfi_rank *node); /* it is in the set                      */
rfi_rank *rfi_ranked_first(const rfi_ranked *set);       /* NULL: empty */
int64_t rfi_ranked_size(const rfi_ranked *set);
/* How many stand before a node with this score and id. */
int64_t rfi_ranked_before(const rfi_ranked *set, int64_t score, int64_t id);

#endif
