import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Types;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.UUID;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PSQLException;

/**
 * What pgJDBC makes of each call in a file such as calls.tsv. Its arguments are a URL, the
 * file, and how many rows a fetch brings, 0 for all; the password is in PGPASSWORD.
 *
 * The driver goes over to binary values once a statement has been executed five times.
 */
public class JdbcClient {
	private static final DateTimeFormatter MOMENT = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSS");
	private static Connection connection;
	private static int fetchSize;

	public static void main(String[] arguments) throws Exception {
		connection = DriverManager.getConnection(arguments[0], "ana", System.getenv("PGPASSWORD"));
		fetchSize = Integer.parseInt(arguments[2]);
		// It has set the time zone of this machine.
		connection.createStatement().execute("SET TimeZone = 'UTC'");

		printCatalogs(connection.getMetaData());
		int number = 0;
		for (String line : Files.readAllLines(Path.of(arguments[1]))) {
			number++;
			if (line.startsWith("#"))
				continue;
			String[] fields = line.split("\t");
			List<Param> params = List.of(fields).subList(3, fields.length).stream().map(Param::of).toList();
			String sql = fields[2].replaceAll("\\$\\d", "?");
			if (fields[0].equals("error")) {
				provokeError(number, sql, params);
			} else {
				printColumns(number, sql, params);
				printRows(number, sql, params, fields[0].equals("pages"));
			}
		}
		connection.close();
	}

	private record Param(String name, String type, String text) {
		static Param of(String field) {
			String[] parts = field.split(":", 3);
			return new Param(parts[0], parts[1], parts[2]);
		}

		/** Binds it in the type that a program would have it in. */
		void bind(PreparedStatement statement, int i) throws SQLException {
			boolean isNull = text.equals("\\N");
			switch (type) {
				case "timestamptz" -> statement.setObject(i, isNull ? null
					: OffsetDateTime.parse(text.replace(' ', 'T') + "Z"), Types.TIMESTAMP_WITH_TIMEZONE);
				case "int8" -> statement.setObject(i, isNull ? null : Long.valueOf(text), Types.BIGINT);
				case "int4" -> statement.setInt(i, Integer.parseInt(text));
				default -> statement.setArray(i, toArray());
			}
		}

		private Array toArray() throws SQLException {
			String[] items = text.substring(1, text.length() - 1).split(",");
			String itemType = type.substring(0, type.length() - 2);
			Object[] values = new Object[items.length];
			for (int i = 0; i < items.length; i++)
				if (!items[i].equals("NULL"))
					values[i] = itemType.equals("uuid") ? UUID.fromString(items[i]) : Integer.valueOf(items[i]);
			return connection.createArrayOf(itemType, values);
		}
	}

	private static void printCatalogs(DatabaseMetaData catalog) throws SQLException {
		print("functions", catalog.getFunctions(null, "public", "ekran%"), "FUNCTION_NAME");
		print("procedures", catalog.getProcedures(null, "public", "ekran%"), "PROCEDURE_NAME");
		print("function columns", catalog.getFunctionColumns(null, "public", "ekran%", "%"),
			"FUNCTION_NAME", "COLUMN_NAME", "COLUMN_TYPE", "TYPE_NAME");
		print("tables", catalog.getTables(null, "ekran", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME", "TABLE_TYPE");
		print("relations", catalog.getColumns(null, "ekran", "%", "%"), "TABLE_NAME", "COLUMN_NAME", "TYPE_NAME");
	}

	private static void print(String title, ResultSet result, String... columns) throws SQLException {
		System.out.println("== " + title);
		while (result.next()) {
			for (int i = 0; i < columns.length; i++)
				System.out.print((i > 0 ? "\t" : "") + result.getString(columns[i]));
			System.out.println();
		}
	}

	private static PreparedStatement prepare(String sql, List<Param> params) throws SQLException {
		PreparedStatement statement = connection.prepareStatement(sql);
		for (int i = 0; i < params.size(); i++)
			params.get(i).bind(statement, i + 1);
		return statement;
	}

	/** Before it is executed, and of a query that returns no rows. */
	private static void printColumns(int number, String sql, List<Param> params) throws SQLException {
		try (PreparedStatement statement = prepare(sql, params);
				PreparedStatement none = prepare("SELECT * FROM (" + sql + ") q LIMIT 0", params)) {
			for (ResultSetMetaData columns : List.of(statement.getMetaData(), none.executeQuery().getMetaData())) {
				System.out.println("== columns " + number);
				for (int i = 1; i <= columns.getColumnCount(); i++)
					System.out.println(columns.getColumnLabel(i) + "\t" + columns.getColumnTypeName(i));
			}
		}
	}

	private static void printRows(int number, String sql, List<Param> params, boolean hasPages) throws SQLException {
		// Only in a transaction are rows fetched in parts.
		connection.setAutoCommit(fetchSize == 0);
		System.out.println("== rows " + number);
		try (PreparedStatement statement = prepare(sql, params)) {
			statement.setFetchSize(fetchSize);
			long page = 0;
			long lastId;
			do {
				ResultSet result = statement.executeQuery();
				lastId = 0;
				boolean hasRow = false;
				while (result.next()) {
					printRow(result);
					hasRow = true;
					if (hasPages)
						lastId = result.getLong(1);
				}
				hasPages &= hasRow;
				if (hasPages)
					statement.setLong(params.size(), params.get(params.size() - 1).name.equals("page") ? ++page : lastId);
			} while (hasPages);
		}
		connection.setAutoCommit(true);
	}

	private static void printRow(ResultSet result) throws SQLException {
		ResultSetMetaData columns = result.getMetaData();
		StringBuilder line = new StringBuilder();
		for (int i = 1; i <= columns.getColumnCount(); i++) {
			if (i > 1)
				line.append('\t');
			line.append(result.getObject(i) == null ? "\\N" : toText(result, i, columns.getColumnTypeName(i)));
		}
		System.out.println(line);
	}

	private static String toText(ResultSet result, int i, String type) throws SQLException {
		return switch (type) {
			case "int8" -> Long.toString(result.getLong(i));
			case "int4" -> Integer.toString(result.getInt(i));
			case "bool" -> Boolean.toString(result.getBoolean(i));
			case "float8" -> String.format("%016x", Double.doubleToLongBits(result.getDouble(i)));
			case "date" -> result.getDate(i).toLocalDate().toString();
			case "uuid" -> result.getObject(i, UUID.class).toString();
			case "timestamptz" -> result.getObject(i, OffsetDateTime.class).withOffsetSameInstant(ZoneOffset.UTC).format(MOMENT);
			case "interval" -> toMicroseconds((PGInterval) result.getObject(i));
			default -> result.getString(i).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n");
		};
	}

	private static String toMicroseconds(PGInterval interval) {
		long seconds = ((interval.getDays() * 24L + interval.getHours()) * 60 + interval.getMinutes()) * 60
			+ interval.getWholeSeconds();
		return Long.toString(seconds * 1_000_000 + interval.getMicroSeconds());
	}

	private static void provokeError(int number, String sql, List<Param> params) throws SQLException {
		System.out.println("== error " + number);
		try (PreparedStatement statement = prepare(sql, params)) {
			statement.executeQuery();
		} catch (PSQLException error) {
			System.out.println(error.getSQLState() + "\t" + error.getServerErrorMessage().getMessage());
		}
	}
}
