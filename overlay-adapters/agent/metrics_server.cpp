// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics_server.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include <particle/ip.hpp>
#include <particle/unique_fd.hpp>

namespace particle::overlay {
namespace {

constexpr int kBacklog = 16;
constexpr unsigned kConnections = 32;
constexpr unsigned kIdleSeconds = 10;

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  std::string path;  ///< of a UNIX socket

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Error wrong(const std::string& address, std::string hint) {
  return Error::of(Errc::invalid_argument, "metrics address " + address, std::move(hint));
}

Result<Address> unix_address(const std::string& path) {
  Address out;
  auto* raw = reinterpret_cast<sockaddr_un*>(&out.storage);
  if (path.size() >= sizeof raw->sun_path)
    return fail(wrong(path, "a UNIX socket's path has at most 107 bytes"));
  raw->sun_family = AF_UNIX;
  std::memcpy(raw->sun_path, path.c_str(), path.size() + 1);
  out.length = sizeof *raw;
  out.path = path;
  return out;
}

Result<Address> parse_address(const std::string& text) {
  if (text.starts_with('/')) return unix_address(text);
  static constexpr const char* kForms =
      "give 127.0.0.1:PORT, [::1]:PORT or the absolute path of a UNIX socket; anybody who can "
      "connect "
      "may read the numbers, so that no other address is served";
  const auto colon = text.find_last_of(':');
  if (colon == std::string::npos) return fail(wrong(text, kForms));
  std::string_view host = std::string_view(text).substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (!ip || !ip->is_loopback() || error != std::errc{} || stop != end)
    return fail(wrong(text, kForms));
  Address out;
  if (ip->is_v4()) {
    auto* raw = reinterpret_cast<sockaddr_in*>(&out.storage);
    raw->sin_family = AF_INET;
    raw->sin_port = htons(port);
    std::memcpy(&raw->sin_addr, ip->bytes().data(), ip->bytes().size());
    out.length = sizeof *raw;
  } else {
    auto* raw = reinterpret_cast<sockaddr_in6*>(&out.storage);
    raw->sin6_family = AF_INET6;
    raw->sin6_port = htons(port);
    std::memcpy(&raw->sin6_addr, ip->bytes().data(), ip->bytes().size());
    out.length = sizeof *raw;
  }
  return out;
}

/// A socket file outlives a killed agent; one that answers is somebody else's.
void remove_stale(const Address& address) {
  struct stat info{};
  if (::lstat(address.path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.valid() && ::connect(probe.get(), address.get(), address.length) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(address.path.c_str());
  }
}

Result<UniqueFd> listen_on(const Address& address, const std::string& text) {
  const int family = address.storage.ss_family;
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return fail(Error::from_errno(errno, "socket for metrics on " + text));
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  } else {
    remove_stale(address);
  }
  if (::bind(socket.get(), address.get(), address.length) != 0) {
    return fail(Error::from_errno(errno, "bind " + text,
                                  errno == EADDRINUSE
                                      ? "another process listens there; choose another "
                                        "--metrics address"
                                      : ""));
  }
  if (family == AF_UNIX) ::chmod(address.path.c_str(), 0660);
  if (::listen(socket.get(), kBacklog) != 0)
    return fail(Error::from_errno(errno, "listen on " + text));
  return socket;
}

/// With the port that the kernel chose.
std::string name_of(int socket, const Address& asked) {
  if (!asked.path.empty()) return asked.path;
  Address is;
  is.length = sizeof is.storage;
  ::getsockname(socket, is.get(), &is.length);
  const bool v4 = is.storage.ss_family == AF_INET;
  const std::uint16_t port = ntohs(v4 ? reinterpret_cast<sockaddr_in*>(&is.storage)->sin_port
                                      : reinterpret_cast<sockaddr_in6*>(&is.storage)->sin6_port);
  return std::string(v4 ? "127.0.0.1:" : "[::1]:") + std::to_string(port);
}

MHD_Result answer_with(MHD_Connection* connection, unsigned status, std::string text,
                       const char* type) {
  MHD_Response* response =
      MHD_create_response_from_buffer(text.size(), text.data(), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  const MHD_Result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

struct MetricsServer::Impl {
  std::function<std::string()> render;
  std::string address;
  std::string path;
  MHD_Daemon* daemon = nullptr;
  int epoll = -1;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (daemon != nullptr) MHD_stop_daemon(daemon);  // closes the listening socket, too
    if (!path.empty()) ::unlink(path.c_str());
  }

  static MHD_Result handle(void* self, MHD_Connection* connection, const char* url,
                           const char* method, const char* /*version*/, const char* /*upload*/,
                           std::size_t* upload_size, void** /*request*/) {
    // Exceptions must not pass through a C library.
    try {
      *upload_size = 0;
      if (std::strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
          std::strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_with(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n", "text/plain");
      if (std::strcmp(url, "/metrics") != 0)
        return answer_with(connection, MHD_HTTP_NOT_FOUND, "try /metrics\n", "text/plain");
      return answer_with(connection, MHD_HTTP_OK, static_cast<Impl*>(self)->render(),
                         "text/plain; version=0.0.4; charset=utf-8");
    } catch (...) {
      return MHD_NO;
    }
  }
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::MetricsServer(MetricsServer&&) noexcept = default;
MetricsServer& MetricsServer::operator=(MetricsServer&&) noexcept = default;
MetricsServer::~MetricsServer() = default;

Result<MetricsServer> MetricsServer::open(const std::string& address,
                                          std::function<std::string()> render) {
  auto parsed = parse_address(address);
  if (!parsed) return fail(std::move(parsed.error()));
  auto socket = listen_on(*parsed, address);
  if (!socket) return fail(std::move(socket.error()));
  auto impl = std::make_unique<Impl>();
  impl->render = std::move(render);
  impl->path = parsed->path;
  impl->address = name_of(socket->get(), *parsed);
  // Without MHD_USE_INTERNAL_POLLING_THREAD: one epoll descriptor that our loop waits for.
  impl->daemon =
      MHD_start_daemon(MHD_USE_EPOLL, 0, nullptr, nullptr, &Impl::handle, impl.get(),
                       MHD_OPTION_LISTEN_SOCKET, socket->get(), MHD_OPTION_CONNECTION_LIMIT,
                       kConnections, MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds, MHD_OPTION_END);
  if (impl->daemon == nullptr)
    return fail(Error::of(Errc::exhausted, "start an HTTP server on " + address));
  (void)socket->release();
  const MHD_DaemonInfo* info = MHD_get_daemon_info(impl->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) return fail(Error::of(Errc::unsupported, "epoll for " + address));
  impl->epoll = info->epoll_fd;
  return MetricsServer(std::move(impl));
}

int MetricsServer::fd() const noexcept {
  return impl_->epoll;
}

std::optional<std::chrono::milliseconds> MetricsServer::patience() const {
  MHD_UNSIGNED_LONG_LONG wait = 0;
  if (MHD_get_timeout(impl_->daemon, &wait) != MHD_YES) return std::nullopt;
  return std::chrono::milliseconds(wait);
}

void MetricsServer::serve() {
  MHD_run(impl_->daemon);
}

const std::string& MetricsServer::address() const noexcept {
  return impl_->address;
}

}  // namespace particle::overlay
