// SPDX-License-Identifier: Apache-2.0
/// Serves one text over HTTP, at /metrics, on loopback or a UNIX socket only: the numbers name tenants,
/// and nobody asks who reads them. Driven by the caller's poll loop; no thread of its own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <particle/result.hpp>

namespace particle::overlay {

class MetricsServer {
 public:
  /// `address`: `127.0.0.1:PORT`, `[::1]:PORT` (port 0: the kernel's choice), or the absolute path of a
  /// UNIX socket, made with mode 0660; one that nobody listens on any more is replaced.
  /// Errors: invalid_argument for any other address; errno of bind(2) and listen(2).
  static Result<MetricsServer> open(const std::string& address,
                                    std::function<std::string()> render);
  MetricsServer(MetricsServer&&) noexcept;
  MetricsServer& operator=(MetricsServer&&) noexcept;
  /// Removes the UNIX socket.
  ~MetricsServer();

  /// Readable when serve() has something to do.
  [[nodiscard]] int fd() const noexcept;
  /// How long serve() may be put off at most.
  [[nodiscard]] std::optional<std::chrono::milliseconds> patience() const;
  /// Answers what has come in; waits for nothing.
  void serve();
  /// `127.0.0.1:9469`, with the port that was chosen, or the path.
  [[nodiscard]] const std::string& address() const noexcept;

 private:
  struct Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace particle::overlay
