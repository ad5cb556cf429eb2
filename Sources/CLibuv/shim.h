#pragma once
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <uv.h>

// glibc declares accept4 only for GNU sources, which Swift's import of it is not.
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);

static inline int banyan_accept(int socket, void *address, socklen_t length) {
    return accept4(socket, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Swift's import of glibc knows no eventfd.
static inline int banyan_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

// How many descriptors travel beside one message at most.
enum { BANYAN_MOST_DESCRIPTORS = 128 };

// Sends one message with descriptors beside it; control messages are laid out by macros.
static inline ssize_t banyan_send_descriptors(
    int socket, const void *bytes, size_t count, const int *descriptors, size_t descriptor_count) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * BANYAN_MOST_DESCRIPTORS)];
    } control;
    struct iovec piece = {(void *)bytes, count};
    struct msghdr message = {0};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (descriptor_count > BANYAN_MOST_DESCRIPTORS) return -1;
    if (descriptor_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptor_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptor_count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * descriptor_count);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

// Receives one message with the descriptors beside it, of which `descriptors` has room for BANYAN_MOST_DESCRIPTORS.
static inline ssize_t banyan_receive_descriptors(
    int socket, void *bytes, size_t count, int *descriptors, size_t *descriptor_count) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * BANYAN_MOST_DESCRIPTORS)];
    } control;
    struct iovec piece = {bytes, count};
    struct msghdr message = {0};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    *descriptor_count = 0;
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t found = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (found > BANYAN_MOST_DESCRIPTORS - *descriptor_count) break;
        memcpy(descriptors + *descriptor_count, CMSG_DATA(header), sizeof(int) * found);
        *descriptor_count += found;
    }
    return received;
}

// Who has opened the other end of a unix socket; glibc declares `struct ucred` only for GNU sources.
static inline int banyan_peer(int socket, int *process, unsigned *user) {
    struct {
        int process;
        unsigned user;
        unsigned group;
    } peer = {0, 0, 0};
    socklen_t length = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    *process = peer.process;
    *user = peer.user;
    return 0;
}
