// SPDX-License-Identifier: Apache-2.0
/// What the coordinator and a worker say to each other, as lines of JSON on the worker's standard input
/// and output; and how workers pull from each other.
///
///   coordinator -> worker   {"task": ...}, then {"release": true} when all was pulled
///   worker -> coordinator   {"phase": "connected"|"transferring"|"processing", "at": NANOSECONDS},
///                           then {"done": ...} or {"error": ...}
///   worker -> worker        "SPROCKET/1 GET BLOB OFFSET LENGTH\n" over TCP; the answer is "OK\n", the
///                           bytes and their CRC-32 (4 bytes, big endian), or "ERROR words\n"
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>

#include "worker/work.hpp"

namespace particle::sprocket {

/// Where an item's bytes are: served by a worker, or in a file of the object store.
struct Place {
  std::string address;  ///< of the worker that serves it
  std::uint16_t port = 0;
  std::uint64_t blob = 0;   ///< the how-manieth output of that worker
  std::string path;         ///< in the store
  std::uint64_t start = 0;  ///< bytes before it
  std::uint64_t bytes = 0;
  std::uint32_t checksum = 0;  ///< CRC-32 of all of it
};

struct TaskSlice {
  std::uint64_t item = 0;
  std::uint64_t offset = 0;  ///< frames of the item before it
  std::uint64_t frames = 0;
  bool whole = true;
  std::optional<Source> source;
  Place place;
  std::optional<Format> format;
};

struct TaskInput {
  std::string port;
  DataType type = DataType::frames;
  std::vector<TaskSlice> slices;
};

struct TaskOutput {
  std::string port;
  DataType type = DataType::frames;
  std::string path;  ///< the file it is written to; empty: it is served
};

/// One run of a stage.
struct TaskMessage {
  std::string node;
  std::string stage;
  nlohmann::json parameters;
  std::uint64_t number = 0;
  std::uint64_t first = 0, span = 0, frames = 0, context = 0, scene = 0;
  std::vector<TaskInput> inputs;
  std::vector<TaskOutput> outputs;
};

struct DoneItem {
  WorkItem item;
  Place place;
};
struct DoneOutput {
  std::string port;
  std::optional<Format> format;
  std::vector<DoneItem> items;
};
struct DoneMessage {
  std::vector<DoneOutput> outputs;
  /// How long the worker pulled from the workers before it, or read the store, connecting included; and
  /// how long it took to make its outputs ready for those behind it, or to write the store.
  std::chrono::nanoseconds pulled{0}, handed{0};
};

struct ErrorMessage {
  std::string what;
  std::string hint;
  std::optional<std::uint64_t> unreachable;  ///< the item whose worker could not be reached
};

std::string encode_task(const TaskMessage& task);
/// Errors of all of these: protocol.
Result<TaskMessage> parse_task(const nlohmann::json& json);
std::string encode_done(const DoneMessage& done);
Result<DoneMessage> parse_done(const nlohmann::json& json);
std::string encode_error(const ErrorMessage& error);
Result<ErrorMessage> parse_error(const nlohmann::json& json);

}  // namespace particle::sprocket
