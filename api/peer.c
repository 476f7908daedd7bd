#include "api/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/alloc.h"
#include "core/clock.h"

struct rfi_peers {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    rfi_peer *first;
    int64_t n, n_late;
    double period_s;
    bool stopping;
    pthread_t reaper;
};

static int64_t now_us(void)
{
    return (int64_t)(rf_clock_s() * 1e6);
}

/* ---- the reaper ------------------------------------------------------------------------------- */

static void shut_down_late(rfi_peers *peers)
{
    const int64_t now = now_us();
    for (rfi_peer *peer = peers->first; peer; peer = peer->next)
        if (atomic_load_explicit(&peer->deadline_us, memory_order_relaxed) < now) {
            shutdown(peer->fd, SHUT_RDWR);
            atomic_store_explicit(&peer->deadline_us, INT64_MAX, memory_order_relaxed);
            peers->n_late++;
        }
}

static void *reap(void *arg)
{
    rfi_peers *peers = arg;
    pthread_mutex_lock(&peers->lock);
    while (!peers->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        const int64_t ns = until.tv_nsec + (int64_t)(peers->period_s * 1e9);
        until.tv_sec += ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
        pthread_cond_timedwait(&peers->changed, &peers->lock, &until);
        shut_down_late(peers);
    }
    pthread_mutex_unlock(&peers->lock);
    return NULL;
}

rf_code rfi_peers_open(rfi_peers **out, double period_s, rf_error *err)
{
    pthread_condattr_t attributes;
    rfi_peers *peers = rf_malloc(sizeof *peers);
    if (!peers)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the list of connections");
    *peers = (rfi_peers){.period_s = period_s};
    pthread_mutex_init(&peers->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&peers->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&peers->reaper, NULL, reap, peers) != 0) {
        rf_free(peers);
        return rf_fail(err, RF_UNAVAILABLE, "the thread that watches connections could not be started");
    }
    *out = peers;
    return RF_OK;
}

void rfi_peers_close(rfi_peers *peers)
{
    if (!peers)
        return;
    pthread_mutex_lock(&peers->lock);
    peers->stopping = true;
    pthread_cond_signal(&peers->changed);
    pthread_mutex_unlock(&peers->lock);
    pthread_join(peers->reaper, NULL);
    pthread_cond_destroy(&peers->changed);
    pthread_mutex_destroy(&peers->lock);
    rf_free(peers);
}

/* ---- entries ---------------------------------------------------------------------------------- */

/* IPv4 that arrives mapped into IPv6 is the same client as without; an IPv6 client has its whole /64. */
static void write_address(char out[INET6_ADDRSTRLEN], const struct sockaddr *address)
{
    out[0] = 0;
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out, INET6_ADDRSTRLEN);
    if (!address || address->sa_family != AF_INET6)
        return;
    struct in6_addr v6 = ((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        inet_ntop(AF_INET, v6.s6_addr + 12, out, INET6_ADDRSTRLEN);
        return;
    }
    if (!IN6_IS_ADDR_LOOPBACK(&v6))
        memset(v6.s6_addr + 8, 0, 8);
    inet_ntop(AF_INET6, &v6, out, INET6_ADDRSTRLEN);
}

rfi_peer *rfi_peer_add(rfi_peers *peers, int fd, const struct sockaddr *address, double seconds)
{
    rfi_peer *peer = rf_malloc(sizeof *peer);
    if (!peer)
        return NULL;
    *peer = (rfi_peer){.fd = fd};
    write_address(peer->address, address);
    rfi_peer_give(peer, seconds);
    pthread_mutex_lock(&peers->lock);
    peer->next = peers->first;
    if (peer->next)
        peer->next->previous = peer;
    peers->first = peer;
    peers->n++;
    pthread_mutex_unlock(&peers->lock);
    return peer;
}

void rfi_peer_remove(rfi_peers *peers, rfi_peer *peer)
{
    if (!peer)
        return;
    pthread_mutex_lock(&peers->lock);
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        peers->first = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    peers->n--;
    pthread_mutex_unlock(&peers->lock);
    rf_free(peer);
}

void rfi_peer_give(rfi_peer *peer, double seconds)
{
    const int64_t deadline = seconds < 0 ? INT64_MAX : now_us() + (int64_t)(seconds * 1e6);
    atomic_store_explicit(&peer->deadline_us, deadline, memory_order_relaxed);
}

int64_t rfi_peers_count(rfi_peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    const int64_t n = peers->n;
    pthread_mutex_unlock(&peers->lock);
    return n;
}

int64_t rfi_peers_late(rfi_peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    const int64_t n = peers->n_late;
    pthread_mutex_unlock(&peers->lock);
    return n;
}

void rfi_peers_shut_down(rfi_peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    for (const rfi_peer *peer = peers->first; peer; peer = peer->next)
        shutdown(peer->fd, SHUT_RDWR);
    pthread_mutex_unlock(&peers->lock);
}
