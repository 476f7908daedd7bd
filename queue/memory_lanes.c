/* memory_lanes.c - which job comes next: within a user by age and priority, between users by what they have had.
 *
 * Between users: start-time fair queueing (Goyal, Vin, Cheng, "Start-time Fair Queueing", IEEE/ACM Transactions on
 * Networking 5 (1997)), with jobs for packets. A lane's virtual time grows by the cost of each job leased from it; the
 * ring gives the lane with the lowest. The cost is an estimate, in seconds; when the lease ends, the seconds that it
 * held its worker take its place. A lane that was away enters at the class's own virtual time, so that idling earns
 * nothing. Within a lane: score = created_ms - age_ms * priority, lowest first: a job gains one step of priority
 * for each age_ms that it waits, so that none waits for ever.
 */
#include <string.h>

#include "core/alloc.h"
#include "queue/memory_state.h"

enum { SWEEP_LEAST = 1024 };

static const double LEASE_LEAST_S = 1e-3;

/* ------------------------------------------------------------------ classes */

static bool is_class_name(const char *name)
{
    const size_t length = strnlen(name, RF_CLASS_BYTES);
    return length > 0 && length < RF_CLASS_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

rf_code rfi_class_find(rfi_memory *m, const char *name, rfi_class **out, rf_error *err)
{
    const char *wanted = name && *name ? name : "cpu";
    for (int i = 0; i < m->n_classes; i++)
        if (!strcmp(m->classes[i]->name, wanted)) {
            *out = m->classes[i];
            return RF_OK;
        }
    if (!is_class_name(wanted))
        return rf_fail(err, RF_USAGE, "\"%.20s\" is no name for a class of workers", wanted);
    if (m->n_classes == RFI_CLASSES_MAX)
        return rf_fail(err, RF_USAGE, "there are more than %d classes of workers", RFI_CLASSES_MAX);
    rfi_class *class = NULL;
    const rf_code rc = RF_NEW_ARRAY(&class, 1, "a class of workers", err);
    if (rc != RF_OK)
        return rc;
    memcpy(class->name, wanted, strlen(wanted) + 1);
    rfi_link_init(&class->arrivals);
    m->classes[m->n_classes++] = class;
    *out = class;
    return RF_OK;
}

/* ------------------------------------------------------------------ lanes and the ring */

static rfi_entry *head_of(const rfi_ranked *set)
{
    rfi_rank *node = rfi_ranked_first(set);
    return node ? RFI_OWNER(node, rfi_entry, rank) : NULL;
}

static bool within_limit(const rfi_user *user, const rfi_entry *entry)
{
    return entry->user_limit <= 0 || user->n_held < entry->user_limit;
}

/* The lane's next job, if it may give one now. */
static rfi_entry *lane_next(const rfi_lane *lane)
{
    rfi_entry *limited = head_of(&lane->limited), *unlimited = head_of(&lane->unlimited);
    if (limited && !within_limit(lane->user, limited))
        limited = NULL;
    if (!limited || !unlimited)
        return limited ? limited : unlimited;
    const bool first = limited->rank.score != unlimited->rank.score
                           ? limited->rank.score < unlimited->rank.score
                           : limited->rank.id < unlimited->rank.id;
    return first ? limited : unlimited;
}

static void lane_turn(rfi_lane *lane)
{
    rfi_class *class = lane->class;
    const bool in = lane->turn.place > 0, should = lane_next(lane) != NULL;
    if (in && !should)
        rfi_due_remove(&class->ring, &lane->turn);
    if (in || !should)
        return;
    if (lane->time < class->now)
        lane->time = class->now;
    rfi_due_push(&class->ring, &lane->turn, lane->time);
}

void rfi_lane_add(rfi_lane *lane, rfi_entry *entry)
{
    rfi_ranked_insert(entry->unlimited ? &lane->unlimited : &lane->limited, &entry->rank);
    lane_turn(lane);
}

void rfi_lane_remove(rfi_lane *lane, rfi_entry *entry)
{
    rfi_ranked_remove(entry->unlimited ? &lane->unlimited : &lane->limited, &entry->rank);
    lane_turn(lane);
}

rfi_entry *rfi_class_next(const rfi_class *class)
{
    const rfi_due *turn = rfi_due_first(&class->ring);
    return turn ? lane_next(RFI_OWNER(turn, const rfi_lane, turn)) : NULL;
}

void rfi_lane_charge(rfi_lane *lane, double cost_s)
{
    rfi_class *class = lane->class;
    if (lane->time > class->now)
        class->now = lane->time;
    lane->time += cost_s;
    if (lane->turn.place > 0)
        rfi_due_move(&class->ring, &lane->turn, lane->time);
}

/* A lease of no measurable time still counts, or lanes of quick jobs would not take turns. What is given back does not
 * reach below the class's time: those turns are over. */
void rfi_lane_correct(rfi_lane *lane, double cost_s, double used_s)
{
    rfi_class *class = lane->class;
    lane->time += (used_s > LEASE_LEAST_S ? used_s : LEASE_LEAST_S) - cost_s;
    if (lane->time < class->now)
        lane->time = class->now;
    if (lane->turn.place > 0)
        rfi_due_move(&class->ring, &lane->turn, lane->time);
}

void rfi_user_settle(rfi_user *user)
{
    for (rfi_link *link = user->lanes.next; link != &user->lanes; link = link->next)
        lane_turn(RFI_OWNER(link, rfi_lane, of_user));
}

/* The lanes of the ring take turns, so for each job of this lane that comes first, every other gives one, while it
 * has any. */
int64_t rfi_lane_position(const rfi_lane *lane, const rfi_entry *entry)
{
    const rfi_class *class = lane->class;
    const int64_t own = rfi_ranked_size(&lane->limited) + rfi_ranked_size(&lane->unlimited);
    const int64_t rank = 1 + rfi_ranked_before(&lane->limited, entry->rank.score, entry->rank.id) +
                         rfi_ranked_before(&lane->unlimited, entry->rank.score, entry->rank.id);
    const int64_t others = class->n_waiting - own;
    const int64_t lanes = (int64_t) class->ring.n - (lane->turn.place > 0);
    return rank + (lanes > 0 && rank > others / lanes ? others : rank * lanes);
}

/* ------------------------------------------------------------------ users */

static bool owes(const rfi_user *user)
{
    for (const rfi_link *link = user->lanes.next; link != &user->lanes; link = link->next) {
        const rfi_lane *lane = RFI_OWNER(link, const rfi_lane, of_user);
        if (lane->time > lane->class->now && lane->class->n_waiting > 0)
            return true;
    }
    return false;
}

static void user_free(rfi_user *user)
{
    while (user->lanes.next != &user->lanes) {
        rfi_lane *lane = RFI_OWNER(user->lanes.next, rfi_lane, of_user);
        rfi_link_remove(&lane->of_user);
        rfi_id_map_remove(&lane->class->lanes, user->id);
        rf_free(lane);
    }
    rf_free(user);
}

bool rfi_user_forget(rfi_memory *m, rfi_user *user)
{
    if (user->n_entries > 0 || owes(user))
        return false;
    rfi_id_map_remove(&m->users, user->id);
    user_free(user);
    return true;
}

/* Users who left while they owed are looked at again now and then: as often as their number has doubled. Removing
 * moves slots of the map, so the walk begins anew after each; what was kept is passed quickly. */
static void sweep_users(rfi_memory *m)
{
    size_t at = 0;
    rfi_user *user;
    while ((user = rfi_id_map_next(&m->users, &at)))
        if (rfi_user_forget(m, user) && at > 0)
            at--; /* the slot may hold the next of its run now */
    m->sweep_users_at = 2 * m->users.n + SWEEP_LEAST;
}

static rf_code user_find(rfi_memory *m, int64_t id, rfi_user **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_user *user = rfi_id_map_find(&m->users, id);
    if (!user) {
        if (m->users.n >= m->sweep_users_at)
            sweep_users(m);
        RF_TRY(RF_NEW_ARRAY(&user, 1, "a user of the queue", err));
        user->id = id;
        rfi_link_init(&user->held);
        rfi_link_init(&user->lanes);
        rc = rfi_id_map_put(&m->users, id, user, err);
        if (rc != RF_OK) {
            rf_free(user);
            goto out;
        }
    }
    *out = user;
out:
    return rc;
}

rf_code rfi_lane_find(rfi_memory *m, rfi_class *class, int64_t user_id, rfi_lane **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_user *user = NULL;
    rfi_lane *lane = rfi_id_map_find(&class->lanes, user_id), *fresh = NULL;
    if (!lane) {
        RF_TRY(user_find(m, user_id, &user, err));
        RF_TRY(rfi_due_reserve(&class->ring, class->lanes.n + 1, err));
        RF_TRY(RF_NEW_ARRAY(&fresh, 1, "a user of the queue", err));
        RF_TRY(rfi_id_map_put(&class->lanes, user_id, fresh, err));
        lane = fresh;
        fresh = NULL;
        lane->turn.id = user_id;
        lane->class = class;
        lane->user = user;
        rfi_link_append(&user->lanes, &lane->of_user);
    }
    *out = lane;
out:
    rf_free(fresh);
    return rc;
}

void rfi_lanes_free(rfi_memory *m)
{
    size_t at = 0;
    rfi_user *user;
    while ((user = rfi_id_map_next(&m->users, &at)))
        user_free(user);
    rfi_id_map_free(&m->users);
    for (int i = 0; i < m->n_classes; i++) {
        rfi_due_free(&m->classes[i]->ring);
        rfi_id_map_free(&m->classes[i]->lanes);
        rf_free(m->classes[i]);
    }
}
