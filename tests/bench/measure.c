/* In: a command.  Out: on standard error its wall time in microseconds and its peak memory in KiB; its output and exit status stay. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec begin, end;
    struct rusage used;
    int status = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = argc > 1 ? fork() : -1;
    if (child == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) != child) {
        fprintf(stderr, "usage: measure COMMAND...\n");
        return 64;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    fprintf(stderr, "%lld %ld\n", (long long)(end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000, used.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 70;
}
