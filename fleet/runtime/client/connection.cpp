// SPDX-License-Identifier: Apache-2.0
#include "client/connection.hpp"

#include <future>
#include <utility>

#include "wire/error_json.hpp"

namespace particle::fleet {

Connection::Connection(std::unique_ptr<Transport> transport)
    : channel_(std::move(transport)), reader_([this] { read(); }) {}

Connection::~Connection() {
  channel_.stop();
  reader_.join();
}

void Connection::request(Json request, Reply reply, Take more) {
  std::uint64_t id = 0;
  std::optional<Error> lost;
  {
    const std::scoped_lock lock(mutex_);
    lost = lost_;
    if (!lost) {
      id = next_++;
      pending_.emplace(id, Pending{std::move(reply), std::move(more)});
    }
  }
  if (lost) return reply(fail(*lost));  // NOLINT(bugprone-use-after-move): then it was not moved
  request["id"] = id;
  // A failure ends the reader, which answers everything that is pending.
  static_cast<void>(channel_.write(dump(request)));
}

Result<Json> Connection::ask(Json request, Take more, std::chrono::milliseconds patience) {
  auto promise = std::make_shared<std::promise<Result<Json>>>();
  std::future<Result<Json>> answer = promise->get_future();
  const std::string what = request.value("do", "");
  // `more` belongs to the caller's frame, which a time-out leaves.
  auto taking = std::make_shared<std::pair<std::mutex, Take>>();
  taking->second = std::move(more);
  this->request(
      std::move(request), [promise](Result<Json> reply) { promise->set_value(std::move(reply)); },
      [taking](const Json& part) {
        const std::scoped_lock lock(taking->first);
        if (taking->second) taking->second(part);
      });
  if (answer.wait_for(patience) == std::future_status::ready) return answer.get();
  const std::scoped_lock lock(taking->first);
  taking->second = {};
  return fail(Error::of(Errc::busy, "the agent has not answered `" + what + "` in time"));
}

Result<void> Connection::listen(const std::string& job, Listener listener) {
  const std::scoped_lock lock(listeners_mutex_, mutex_);
  if (lost_) return fail(*lost_);
  listeners_[job] = std::move(listener);
  return {};
}

void Connection::unlisten(const std::string& job) {
  const std::scoped_lock lock(listeners_mutex_);
  listeners_.erase(job);
}

void Connection::read() {
  auto ended = channel_.read_lines([this](std::string_view line) { take_line(line); });
  channel_.stop();
  lose(ended ? Error::of(Errc::io, "the agent closed the connection",
                         "it was stopped, or was killed; its jobs have ended with it")
             : ended.error());
}

void Connection::take_line(std::string_view line) {
  auto value = parse_json(line, "the agent's answer");
  const Json empty = Json::object();
  const Json& object = value && value->is_object() ? *value : empty;
  const auto id = object.find("id");
  const auto job = object.find("job");
  if (id != object.end() && id->is_number_unsigned()) {
    take_answer(id->get<std::uint64_t>(), object);
  } else if (job != object.end() && job->is_string()) {
    const std::scoped_lock lock(listeners_mutex_);
    const auto found = listeners_.find(job->get<std::string>());
    if (found != listeners_.end()) found->second.notice(object);
  } else {
    channel_.stop();  // whoever is there speaks something else
  }
}

void Connection::take_answer(std::uint64_t id, const Json& line) {
  Pending pending;
  const auto more = line.find("more");
  {
    const std::scoped_lock lock(mutex_);
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    if (more != line.end()) {
      pending.more = found->second.more;
    } else {
      pending = std::move(found->second);
      pending_.erase(found);
    }
  }
  if (more != line.end()) {
    if (pending.more) pending.more(*more);
    return;
  }
  const auto error = line.find("error");
  if (error != line.end()) return pending.reply(fail(error_from_json(*error)));
  pending.reply(line.value("ok", Json::object()));
}

void Connection::lose(const Error& error) {
  std::map<std::uint64_t, Pending> pending;
  {
    const std::scoped_lock lock(mutex_);
    lost_ = error;
    pending.swap(pending_);
  }
  for (auto& [id, one] : pending) one.reply(fail(error));
  const std::scoped_lock lock(listeners_mutex_);
  for (auto& [job, listener] : listeners_) listener.lost(error);
}

}  // namespace particle::fleet
