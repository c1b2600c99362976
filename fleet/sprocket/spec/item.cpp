// SPDX-License-Identifier: Apache-2.0
#include <particle_sprocket/item.hpp>

namespace particle::sprocket {

std::string_view to_string(DataType type) noexcept {
  switch (type) {
    case DataType::chunks:
      return "chunks";
    case DataType::frames:
      return "frames";
    case DataType::scenes:
      return "scenes";
  }
  return "?";
}

std::optional<DataType> type_of(std::string_view identifier) noexcept {
  const std::string_view prefix = identifier.substr(0, identifier.find('_'));
  for (const DataType type : {DataType::chunks, DataType::frames, DataType::scenes}) {
    if (prefix == to_string(type)) return type;
  }
  return {};
}

}  // namespace particle::sprocket
