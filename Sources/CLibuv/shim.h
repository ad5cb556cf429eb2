#pragma once
#include <sys/socket.h>
#include <uv.h>

// glibc declares accept4 only for GNU sources, which Swift's import of it is not.
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);

static inline int banyan_accept(int socket, void *address, socklen_t length) {
    return accept4(socket, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
