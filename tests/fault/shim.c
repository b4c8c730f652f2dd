/* A slow disk and a clock that jumps, for the programs this is preloaded into: seconds stand in files of $FAULT_SHIM. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double seconds(const char *name) {
    const char *folder = getenv("FAULT_SHIM");
    char path[512];
    double value = 0;
    FILE *file;
    if (!folder) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%lf", &value) != 1) value = 0;
    fclose(file);
    return value;
}

static void wait_for_disk(void) {
    double delay = seconds("disk");
    if (delay > 0) usleep((useconds_t)(delay * 1e6));
}

int fsync(int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    wait_for_disk();
    return real(descriptor);
}

int fdatasync(int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    wait_for_disk();
    return real(descriptor);
}

int clock_gettime(clockid_t clock, struct timespec *when) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, when);
    if (clock == CLOCK_REALTIME && result == 0) when->tv_sec += (time_t)seconds("clock");
    return result;
}

int gettimeofday(struct timeval *restrict when, void *restrict zone) {
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(when, zone);
    if (when) when->tv_sec += (time_t)seconds("clock");
    return result;
}

time_t time(time_t *when) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (when) *when = now.tv_sec;
    return now.tv_sec;
}
