/* pause.h - what a thread does between two looks at a word that another thread will change: as little as the neighbour on the
 * same core can wish for. */
#ifndef RF_CORE_PAUSE_H
#define RF_CORE_PAUSE_H

static inline void rf_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
