/// What this build of Fenchel is.
public enum Release {
  /// Version by the rules of semantic versioning.
  public static let version = "0.1.0"
}
